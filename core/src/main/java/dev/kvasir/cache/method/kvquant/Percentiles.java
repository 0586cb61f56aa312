package dev.kvasir.cache.method.kvquant;

import java.util.Arrays;

/**
 * Percentiles of any number of numbers to a fraction of their range: counts over even bins, which double in width, two by
 * two into one, when a number lies beyond them. Smallest and largest are exact.
 */
final class Percentiles {
    private final int[] counts;
    private double low;
    private double step;
    private long count;
    private float min;
    private float max;

    /** None yet; {@code bins} is even. */
    Percentiles(int bins) {
        counts = new int[bins];
    }

    /** Takes in numbers {@code stride} apart. */
    void add(float[] x, int offset, int stride, int n) {
        if (n == 0) {
            return;
        }
        float least = x[offset];
        float most = least;
        for (int i = 1; i < n; i++) {
            least = Math.min(least, x[offset + i * stride]);
            most = Math.max(most, x[offset + i * stride]);
        }
        if (!Float.isFinite(most - least)) {
            throw new IllegalArgumentException("numbers from " + least + " to " + most);
        }
        widen(least, most);
        for (int i = 0; i < n; i++) {
            counts[bin(x[offset + i * stride])]++;
        }
        count += n;
    }

    private int bin(float x) {
        return Math.clamp((long) ((x - low) / step), 0, counts.length - 1);
    }

    private void widen(float least, float most) {
        if (count == 0) {
            min = least;
            max = most;
            // A constant gets bins of its rounding.
            double range = Math.max((double) most - least, Math.max(Math.abs(most), Float.MIN_NORMAL) * 1e-6);
            low = least;
            step = range / counts.length;
            return;
        }
        min = Math.min(min, least);
        max = Math.max(max, most);
        while (low + step * counts.length < max) {
            halve(0);
        }
        while (low > min) {
            low -= step * counts.length;
            halve(counts.length / 2);
        }
    }

    /** Brings two bins into one, the first of them to bin {@code to}. */
    private void halve(int to) {
        int half = counts.length / 2;
        int[] merged = new int[half];
        for (int i = 0; i < half; i++) {
            merged[i] = counts[2 * i] + counts[2 * i + 1];
        }
        Arrays.fill(counts, 0);
        System.arraycopy(merged, 0, counts, to, half);
        step *= 2;
    }

    /** Numbers taken in. */
    long count() {
        return count;
    }

    /** The smallest; 0 if there are none. */
    float min() {
        return min;
    }

    /** The largest; 0 if there are none. */
    float max() {
        return max;
    }

    /** The number below which a share of all lies, bins read as if evenly filled. */
    float at(double share) {
        double rank = share * count;
        double below = 0;
        for (int i = 0; i < counts.length; i++) {
            if (counts[i] > 0 && below + counts[i] >= rank) {
                double number = low + (i + (rank - below) / counts[i]) * step;
                return (float) Math.clamp(number, min, max);
            }
            below += counts[i];
        }
        return max;
    }
}
