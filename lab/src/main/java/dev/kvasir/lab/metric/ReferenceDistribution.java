package dev.kvasir.lab.metric;

/** The next-token distribution of the exact cache at one position, against which others are held. */
public final class ReferenceDistribution {
    private final float[] logits;
    private final double[] probabilities;
    private double logSumExp;
    private int argMax;

    /** A place for one distribution over {@code vocabularySize} tokens. */
    public ReferenceDistribution(int vocabularySize) {
        this.logits = new float[vocabularySize];
        this.probabilities = new double[vocabularySize];
    }

    /** Takes the distribution {@code softmax(logits)}; the array is copied. */
    public void set(float[] newLogits) {
        System.arraycopy(newLogits, 0, logits, 0, logits.length);
        logSumExp = Logits.logSumExp(logits);
        argMax = Logits.argMax(logits);
        for (int i = 0; i < logits.length; i++) {
            probabilities[i] = Math.exp(logits[i] - logSumExp);
        }
    }

    /**
     * {@code KL(this || softmax(other)) = sum_i p_i (log p_i - log q_i)} in nats, never negative.
     *
     * @param otherLogSumExp {@link Logits#logSumExp} of {@code other}
     */
    public double klDivergence(float[] other, double otherLogSumExp) {
        double sum = 0;
        for (int i = 0; i < logits.length; i++) {
            sum += probabilities[i] * ((double) logits[i] - other[i]);
        }
        return Math.max(0, sum - logSumExp + otherLogSumExp);
    }

    /** The most probable token. */
    public int argMax() {
        return argMax;
    }
}
