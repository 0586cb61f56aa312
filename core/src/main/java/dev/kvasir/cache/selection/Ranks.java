package dev.kvasir.cache.selection;

import java.util.Arrays;

/** Orders of importance. */
public final class Ranks {
    private Ranks() {}

    /** A number whose order is that of scores, which are not negative, and among equals that of positions. */
    public static long rank(float score, int position) {
        // Bits of floats that are not negative are in their order.
        return (long) Float.floatToRawIntBits(Math.max(0f, score)) << 32 | position;
    }

    /** The {@code wanted} highest scores, which are at least 0; of equal ones those of the lower index. */
    public static boolean[] highest(float[] scores, int wanted) {
        long[] ranks = new long[scores.length];
        for (int i = 0; i < ranks.length; i++) {
            ranks[i] = ((long) Float.floatToRawIntBits(scores[i]) << 32) | (ranks.length - 1 - i);
        }
        Arrays.sort(ranks);
        boolean[] high = new boolean[scores.length];
        for (int i = ranks.length - wanted; i < ranks.length; i++) {
            high[ranks.length - 1 - (int) ranks[i]] = true;
        }
        return high;
    }

    /** The number that would be at {@code index} if the first {@code count} were sorted; reorders them. */
    public static long select(long[] numbers, int count, int index) {
        return select(numbers, 0, count, index);
    }

    /** The same among those from {@code first} on, where all before them are smaller. */
    public static long select(long[] numbers, int first, int count, int index) {
        int from = first;
        int to = count - 1;
        while (from < to) {
            long pivot = median(numbers[from], numbers[(from + to) >>> 1], numbers[to]);
            int low = from;
            int high = to;
            while (low <= high) {
                while (numbers[low] < pivot) {
                    low++;
                }
                while (numbers[high] > pivot) {
                    high--;
                }
                if (low <= high) {
                    long swapped = numbers[low];
                    numbers[low++] = numbers[high];
                    numbers[high--] = swapped;
                }
            }
            if (index <= high) {
                to = high;
            } else if (index >= low) {
                from = low;
            } else {
                return numbers[index];
            }
        }
        return numbers[index];
    }

    private static long median(long a, long b, long c) {
        return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
    }
}
