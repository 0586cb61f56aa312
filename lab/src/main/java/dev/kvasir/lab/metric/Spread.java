package dev.kvasir.lab.metric;

import java.util.Arrays;

/**
 * Repeated measurements of one thing.
 *
 * @param median middle value, the mean of two where their number is even
 * @param min smallest
 * @param max largest
 * @param count how many there were
 */
public record Spread(double median, double min, double max, int count) {
    /** The spread of at least one value. */
    public static Spread of(double... values) {
        if (values.length == 0) {
            throw new IllegalArgumentException("no values");
        }
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return new Spread(quantile(sorted, 0.5), sorted[0], sorted[sorted.length - 1], sorted.length);
    }

    /** The {@code q} quantile of ascending values, linear between neighbours. */
    public static double quantile(double[] sorted, double q) {
        double at = q * (sorted.length - 1);
        int below = (int) at;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    }
}
