package dev.kvasir.train.heads;

import java.util.Arrays;

/** How much of the tenth of a prompt's tokens that answers want most is in the tenth that a head scores highest. */
final class Overlap {
    private double sum;
    private long count;

    /** Counts every KV head of a prompt; both are {@code [prompt][kvHeads]}. */
    void add(float[] scores, float[] labels, int kvHeads) {
        int prompt = labels.length / kvHeads;
        int tenth = Math.max(1, prompt / 10);
        for (int j = 0; j < kvHeads; j++) {
            float[] score = column(scores, kvHeads, j);
            float[] label = column(labels, kvHeads, j);
            float leastScore = least(score, tenth);
            float leastLabel = least(label, tenth);
            int both = 0;
            for (int t = 0; t < prompt; t++) {
                both += score[t] >= leastScore && label[t] >= leastLabel ? 1 : 0;
            }
            sum += Math.min(1, (double) both / tenth);
            count++;
        }
    }

    private static float[] column(float[] numbers, int kvHeads, int kvHead) {
        float[] column = new float[numbers.length / kvHeads];
        for (int t = 0; t < column.length; t++) {
            column[t] = numbers[t * kvHeads + kvHead];
        }
        return column;
    }

    /** The smallest of the {@code most} largest. */
    private static float least(float[] numbers, int most) {
        float[] sorted = numbers.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length - most];
    }

    /** Mean over all heads counted, 0 to 1; chance is 0.1. */
    double mean() {
        return count == 0 ? 0 : sum / count;
    }
}
