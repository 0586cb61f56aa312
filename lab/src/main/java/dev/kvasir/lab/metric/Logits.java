package dev.kvasir.lab.metric;

/** Arithmetic on one vector of logits, in double precision. */
public final class Logits {
    private Logits() {}

    /** {@code log sum_i exp(logits[i])}. */
    public static double logSumExp(float[] logits) {
        double max = logits[argMax(logits)];
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - max);
        }
        return max + Math.log(sum);
    }

    /** Index of the largest logit; the first of equals. */
    public static int argMax(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        return best;
    }

    /** Whether every logit is a finite number. */
    public static boolean areFinite(float[] logits) {
        float sum = 0;
        for (float logit : logits) {
            sum += logit * 0f;
        }
        return sum == 0f;
    }
}
