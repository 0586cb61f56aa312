package dev.kvasir.cache.correction;

import java.util.Arrays;

/**
 * The {@code k} smallest and {@code k} largest numbers of a vector by rank: exactly {@code 2 k}, no element twice, of equal
 * numbers the one with the lower index first. One pass a side with a heap of the {@code k} best.
 *
 * <p>One instance serves one thread; it allocates only when {@code k} grows. Not-a-number counts as larger than infinity.
 */
public final class Extremes {
    private long[] heap = new long[0];
    private int[] indices = new int[0];
    private long lastSmallest;
    private long lastLargest;
    private float low;
    private float high;

    /**
     * The indices found: {@code [0, k)} of the smallest, {@code [k, 2 k)} of the largest, each ascending.
     */
    public int[] indices() {
        return indices;
    }

    /**
     * Finds the extremes of {@code count} numbers, {@code stride} apart. Where the stride is a few hundred bytes, reading costs
     * ten times what choosing does: have vectors contiguous.
     *
     * @param k at most half of {@code count}
     */
    public void find(float[] x, int offset, int stride, int count, int k) {
        if (k < 0 || 2 * k > count) {
            throw new IllegalArgumentException(k + " smallest and largest of " + count);
        }
        if (heap.length < k) {
            heap = new long[k];
            indices = new int[2 * k];
        }
        lastSmallest = Long.MIN_VALUE;
        lastLargest = Long.MIN_VALUE;
        if (k > 0) {
            select(x, offset, stride, count, k, 0);
            lastSmallest = heap[0];
            take(k, 0);
            select(x, offset, stride, count, k, -1);
            lastLargest = heap[0];
            take(k, k);
        }
    }

    /** Finds the smallest and largest number of the same vector that are no extremes, for {@link #low} and {@link #high}. */
    public void findRest(float[] x, int offset, int stride, int count) {
        low = Float.NaN;
        high = Float.NaN;
        for (int i = 0; i < count; i++) {
            float value = x[offset + i * stride];
            if (key(value, i, 0) > lastSmallest && key(value, i, -1) > lastLargest) {
                low = value < low || Float.isNaN(low) ? value : low;
                high = value > high || Float.isNaN(high) ? value : high;
            }
        }
    }

    /** The smallest number that is no extreme; not a number if all are. */
    public float low() {
        return low;
    }

    /** The largest number that is no extreme; not a number if all are. */
    public float high() {
        return high;
    }

    /** Orders by value, then index; {@code flip = -1} turns the order of values round, that of indices stays. */
    private static long key(float value, int index, int flip) {
        int bits = Float.floatToIntBits(value + 0f); // minus zero becomes zero
        int ordered = bits ^ ((bits >> 31) & Integer.MAX_VALUE);
        return ((long) (ordered ^ flip) << 32) | index;
    }

    /** Leaves the {@code k} smallest keys in the heap, the largest of them at its root; passes over what was taken before. */
    private void select(float[] x, int offset, int stride, int count, int k, int flip) {
        int size = 0;
        int i = 0;
        for (; size < k; i++) {
            float value = x[offset + i * stride];
            if (flip == 0 || key(value, i, 0) > lastSmallest) {
                rise(key(value, i, flip), size++);
            }
        }
        float worst = value(x, offset, stride);
        for (; i < count; i++) {
            // Nearly all are settled by one comparison of floats.
            float value = x[offset + i * stride];
            if (flip == 0 ? value > worst : value < worst) {
                continue;
            }
            long key = key(value, i, flip);
            if (key < heap[0] && (flip == 0 || key(value, i, 0) > lastSmallest)) {
                sink(key, k);
                worst = value(x, offset, stride);
            }
        }
    }

    /** The number at the heap's root. */
    private float value(float[] x, int offset, int stride) {
        return x[offset + (int) heap[0] * stride];
    }

    private void rise(long key, int place) {
        int at = place;
        while (at > 0 && heap[(at - 1) >> 1] < key) {
            heap[at] = heap[(at - 1) >> 1];
            at = (at - 1) >> 1;
        }
        heap[at] = key;
    }

    /** Replaces the root. */
    private void sink(long key, int size) {
        int at = 0;
        for (int child = 1; child < size; child = 2 * at + 1) {
            if (child + 1 < size && heap[child + 1] > heap[child]) {
                child++;
            }
            if (heap[child] <= key) {
                break;
            }
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = key;
    }

    private void take(int k, int from) {
        for (int i = 0; i < k; i++) {
            indices[from + i] = (int) heap[i];
        }
        Arrays.sort(indices, from, from + k);
    }
}
