package dev.kvasir.cache.lookup;

import java.util.Arrays;

/** The score that the K best of many scores reach, by radix selection: four passes, nothing is sorted. */
public final class Threshold {
    private static final int BINS = 256;

    private final int[] bins = new int[BINS];
    private int key;
    private int left;

    /**
     * Finds the highest score such that the scores not below it have a weight of at least {@code k}; there must be as much.
     *
     * @param weights {@code [count]} from index 0 on
     */
    public void find(float[] scores, int offset, int count, int[] weights, int k) {
        int mask = 0;
        key = 0;
        left = k;
        for (int shift = 24; shift >= 0; shift -= 8) {
            Arrays.fill(bins, 0);
            for (int i = 0; i < count; i++) {
                int ordered = ordered(scores[offset + i]);
                if ((ordered & mask) == key) {
                    bins[(ordered >>> shift) & 0xff] += weights[i];
                }
            }
            int bin = BINS - 1;
            while (left > bins[bin]) {
                left -= bins[bin--];
            }
            key |= bin << shift;
            mask |= 0xff << shift;
        }
    }

    /** More than 0 if a score is above the one found, 0 if it is that one, less if it is below. */
    public int compare(float score) {
        return Integer.compareUnsigned(ordered(score), key);
    }

    /** The weight wanted of those at the score found; the rest is above. */
    public int left() {
        return left;
    }

    /** A number whose unsigned order is that of the float; both zeros are one. */
    private static int ordered(float score) {
        int bits = Float.floatToRawIntBits(score + 0.0f);
        return bits < 0 ? ~bits : bits ^ 0x8000_0000;
    }
}
