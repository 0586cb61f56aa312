package dev.kvasir.cache.method.zipvl;

import dev.kvasir.cache.selection.Ranks;
import java.util.Arrays;

/**
 * How many tokens a layer needs, and which (ZipVL, arXiv 2410.08584, v1): so many that the columns with the most attention
 * hold a share tau of it; those whose attention, divided by the rows that could see them, is highest.
 */
final class VlChoice {
    /** Share of the sum by which it may be missed: rounding must not cost a token. */
    private static final double SLACK = 1e-6;

    private VlChoice() {}

    /** The fewest columns whose sums make up {@code tau} of all; at least 1. */
    static int budget(double[] sums, double tau) {
        double[] ascending = sums.clone();
        Arrays.sort(ascending);
        double total = 0;
        for (double sum : ascending) {
            total += sum;
        }
        double reached = 0;
        int count = 0;
        while (count < sums.length && (count == 0 || reached < tau * total - SLACK * total)) {
            reached += ascending[sums.length - 1 - count];
            count++;
        }
        return count;
    }

    /**
     * The {@code wanted} columns of the highest normalized sums, the last one among them if {@code withLast}.
     *
     * @param visible rows that see each column
     */
    static boolean[] choose(double[] sums, int[] visible, int wanted, boolean withLast) {
        float[] scores = new float[sums.length];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = visible[i] == 0 ? 0 : (float) (sums[i] / visible[i]);
        }
        if (withLast) {
            scores[scores.length - 1] = Float.POSITIVE_INFINITY;
        }
        return Ranks.highest(scores, wanted);
    }
}
