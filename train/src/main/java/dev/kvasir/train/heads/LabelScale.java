package dev.kvasir.train.heads;

/**
 * Mean and spread of a layer's labels, by KV head: the regression is on labels of mean 0 and spread 1, so that heads of all
 * sizes learn alike.
 *
 * <p>The spread goes back into W2 at the end. The mean is dropped: heads have no bias, and scores are compared within a KV
 * head only.
 */
record LabelScale(float[] mean, float[] spread) {
    /** Gathers labels of some prompts. */
    static final class Gathering {
        private final double[] sums;
        private final double[] squares;
        private long count;

        Gathering(int kvHeads) {
            sums = new double[kvHeads];
            squares = new double[kvHeads];
        }

        void add(float[] labels) {
            int kvHeads = sums.length;
            for (int i = 0; i < labels.length; i++) {
                sums[i % kvHeads] += labels[i];
                squares[i % kvHeads] += (double) labels[i] * labels[i];
            }
            count += labels.length / kvHeads;
        }

        LabelScale scale() {
            float[] mean = new float[sums.length];
            float[] spread = new float[sums.length];
            for (int j = 0; j < sums.length; j++) {
                double m = sums[j] / count;
                mean[j] = (float) m;
                spread[j] = (float) Math.sqrt(Math.max(1e-12, squares[j] / count - m * m));
            }
            return new LabelScale(mean, spread);
        }
    }

    /** Brings labels {@code [tokens][kvHeads]} to mean 0 and spread 1, in place. */
    void apply(float[] labels) {
        int kvHeads = mean.length;
        for (int i = 0; i < labels.length; i++) {
            labels[i] = (labels[i] - mean[i % kvHeads]) / spread[i % kvHeads];
        }
    }

    /** W2 {@code [width][kvHeads]} for scores on the labels' own scale, but for their mean. */
    float[] folded(float[] w2) {
        float[] folded = new float[w2.length];
        for (int i = 0; i < w2.length; i++) {
            folded[i] = w2[i] * spread[i % spread.length];
        }
        return folded;
    }
}
