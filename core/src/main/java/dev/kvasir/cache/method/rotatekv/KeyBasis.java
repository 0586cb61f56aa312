package dev.kvasir.cache.method.rotatekv;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.transform.ChannelPermutation;
import dev.kvasir.cache.transform.GroupedHadamard;
import java.util.Arrays;

/**
 * The basis in which a layer's keys are stored: heads are rotated together in blocks, then all channels of the layer stand in
 * another order, in which neighbours have similar means.
 *
 * <p>Stored channel {@code j} is rotated channel {@code order[j]}. The rotation is its own inverse.
 */
final class KeyBasis {
    private final GroupedHadamard rotation;
    private final ChannelPermutation permutation;
    private final int channels;
    private final int[] order;

    /**
     * A basis of {@code order.length} channels.
     *
     * @throws IllegalArgumentException if the order does not hold each channel once
     */
    KeyBasis(GroupedHadamard rotation, int[] order) {
        this.rotation = rotation;
        this.order = order.clone();
        permutation = new ChannelPermutation(order);
        channels = order.length;
    }

    int channels() {
        return channels;
    }

    /** A number that tells orders apart. */
    int fingerprint() {
        return Arrays.hashCode(order);
    }

    /** All that tells it from other bases. */
    String name() {
        return rotation.heads() + " " + Arrays.toString(order);
    }

    /** Brings {@code tokens} rows of all channels into this basis, in place. */
    void apply(float[] rows, int tokens) {
        rotation.apply(rows, 0, tokens * (channels / rotation.width()));
        permutation.apply(rows, 0, tokens);
    }

    /** Where stored channel {@code j} belongs among the rotated channels; nobody writes to it. */
    int[] order() {
        return order;
    }

    /** What {@link #invert} leaves undone. */
    float factor() {
        return rotation.norm();
    }

    /** Rotates the keys of 32 tokens back, {@code [kvHeads * headDim][32]} in their own order, to be multiplied by {@link #factor}. */
    void invert(float[] tile) {
        for (int channel = 0; channel < channels; channel += rotation.width()) {
            rotation.butterflies(tile, channel * Kernels.PANEL, Kernels.PANEL, Kernels.PANEL);
        }
    }
}
