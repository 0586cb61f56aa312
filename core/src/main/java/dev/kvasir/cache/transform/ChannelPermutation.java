package dev.kvasir.cache.transform;

import java.util.Arrays;

/** Channels in another order: channel {@code order[j]} of a row comes to place {@code j}. */
public final class ChannelPermutation implements Orthonormal {
    private final int[] order;
    /** The cycles of the order one after another, so that a row is permuted in place. */
    private final int[] cycles;
    /** Where each cycle of {@link #cycles} ends. */
    private final int[] ends;

    /**
     * The permutation {@code y[j] = x[order[j]]}.
     *
     * @throws IllegalArgumentException if {@code order} does not hold each of {@code 0 .. length - 1} once
     */
    public ChannelPermutation(int[] order) {
        this.order = order.clone();
        int width = order.length;
        boolean[] seen = new boolean[width];
        for (int channel : order) {
            if (channel < 0 || channel >= width || seen[channel]) {
                throw new IllegalArgumentException(
                        "not an order of " + width + " channels: " + channel + " is beyond them or there twice");
            }
            seen[channel] = true;
        }
        int[] places = new int[width];
        int[] bounds = new int[width];
        int filled = 0;
        int count = 0;
        for (int start = 0; start < width; start++) {
            if (seen[start] && order[start] != start) {
                for (int j = start; seen[j]; j = order[j]) {
                    seen[j] = false;
                    places[filled++] = j;
                }
                bounds[count++] = filled;
            }
        }
        cycles = Arrays.copyOf(places, filled);
        ends = Arrays.copyOf(bounds, count);
    }

    /** A copy of the order. */
    public int[] order() {
        return order.clone();
    }

    /** The permutation that takes this one back. */
    public ChannelPermutation inverse() {
        int[] inverse = new int[order.length];
        for (int j = 0; j < order.length; j++) {
            inverse[order[j]] = j;
        }
        return new ChannelPermutation(inverse);
    }

    @Override
    public boolean isNone() {
        return ends.length == 0;
    }

    @Override
    public int width() {
        return order.length;
    }

    @Override
    public void apply(float[] x, int offset, int rows) {
        for (int row = 0; row < rows; row++) {
            int at = offset + row * order.length;
            int from = 0;
            for (int end : ends) {
                float first = x[at + cycles[from]];
                for (int i = from; i < end - 1; i++) {
                    x[at + cycles[i]] = x[at + cycles[i + 1]];
                }
                x[at + cycles[end - 1]] = first;
                from = end;
            }
        }
    }

    @Override
    public void invert(float[] x, int offset, int rows) {
        for (int row = 0; row < rows; row++) {
            int at = offset + row * order.length;
            int from = 0;
            for (int end : ends) {
                float last = x[at + cycles[end - 1]];
                for (int i = end - 1; i > from; i--) {
                    x[at + cycles[i]] = x[at + cycles[i - 1]];
                }
                x[at + cycles[from]] = last;
                from = end;
            }
        }
    }
}
