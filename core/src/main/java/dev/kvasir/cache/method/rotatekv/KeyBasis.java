package dev.kvasir.cache.method.rotatekv;

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
    /** Where each rotated channel is stored. */
    private final int[] places;

    /**
     * A basis of {@code order.length} channels.
     *
     * @throws IllegalArgumentException if the order does not hold each channel once
     */
    KeyBasis(GroupedHadamard rotation, int[] order) {
        this.rotation = rotation;
        this.order = order.clone();
        permutation = new ChannelPermutation(order);
        places = permutation.inverse().order();
        channels = order.length;
    }

    int channels() {
        return channels;
    }

    /** A number that tells orders apart. */
    int fingerprint() {
        return Arrays.hashCode(order);
    }

    /** Brings {@code tokens} rows of all channels into this basis, in place. */
    void apply(float[] rows, int tokens) {
        rotation.apply(rows, 0, tokens * (channels / rotation.width()));
        permutation.apply(rows, 0, tokens);
    }

    /** What {@link #restore} leaves undone. */
    float factor() {
        return rotation.norm();
    }

    /**
     * Brings keys with tokens in lanes back: the rows are looked up in their own order, then rotated.
     *
     * @param stored {@code [channels][lanes]}, in this basis
     * @param keys receives {@code [kvHeads * headDim][lanes]}, to be multiplied by {@link #factor}
     */
    void restore(float[] stored, float[] keys, int lanes) {
        for (int channel = 0; channel < channels; channel += rotation.width()) {
            rotation.gathered(stored, places, channel, keys, channel * lanes, lanes, lanes);
        }
    }
}
