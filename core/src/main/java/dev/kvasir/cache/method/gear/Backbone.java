package dev.kvasir.cache.method.gear;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;

/**
 * How one side of a chunk is quantized: which of its numbers share a scale, and how they become codes.
 *
 * @param sharing what shares a scale
 * @param bits of a code
 * @param group numbers that share a scale, unless {@link Sharing#CHANNEL_CHUNK} or {@link Sharing#TOKEN_LAYER}
 * @param quantizer how a group becomes codes
 */
record Backbone(Sharing sharing, int bits, int group, Quantizer quantizer) {
    /** What an outlier can name. */
    private static final int MAX_HEAD_DIM = 2048;

    /** What shares a scale. */
    enum Sharing {
        /** A channel, over all tokens of the chunk. */
        CHANNEL_CHUNK,
        /** A channel, over a group of tokens. */
        CHANNEL_GROUP,
        /** A token, over all channels of all heads. */
        TOKEN_LAYER,
        /** A token, over a group of channels of a head. */
        TOKEN_GROUP;

        boolean byChannel() {
            return this == CHANNEL_CHUNK || this == CHANNEL_GROUP;
        }
    }

    /** Checks that heads of {@code headDim} channels and chunks of whole buffers can be quantized so. */
    void check(int headDim, int buffer) {
        if (headDim % 16 != 0 || headDim > MAX_HEAD_DIM) {
            throw new InvalidInputException(
                    "gear: heads of " + headDim + " channels, allowed: multiples of 16 up to " + MAX_HEAD_DIM);
        }
        if (sharing == Sharing.TOKEN_GROUP && headDim % group != 0) {
            throw new InvalidInputException("gear: group=" + group + " does not divide the head's " + headDim
                    + " channels; allowed are the divisors of " + headDim + " among 16, 32, 64, 128");
        }
        if (sharing == Sharing.CHANNEL_GROUP && buffer % group != 0) {
            throw new InvalidInputException("gear: buffer=" + buffer + " is not a multiple of group=" + group);
        }
    }

    /** The codes of one head's keys: lanes are tokens, the depth are channels. */
    PackedLayout keys(int tokens, int headDim) {
        return switch (sharing) {
            case CHANNEL_CHUNK -> new PackedLayout(tokens, headDim, bits, tokens, Axis.PER_DEPTH, quantizer);
            case CHANNEL_GROUP -> new PackedLayout(tokens, headDim, bits, group, Axis.PER_DEPTH, quantizer);
            case TOKEN_LAYER, TOKEN_GROUP -> new PackedLayout(tokens, headDim, bits, group, Axis.PER_LANE, quantizer);
        };
    }

    /** The codes of all heads' values: lanes are channels, the depth are tokens. */
    PackedLayout values(int tokens, int width) {
        return switch (sharing) {
            case TOKEN_LAYER -> new PackedLayout(width, tokens, bits, width, Axis.PER_DEPTH, quantizer);
            case TOKEN_GROUP -> new PackedLayout(width, tokens, bits, group, Axis.PER_DEPTH, quantizer);
            case CHANNEL_CHUNK, CHANNEL_GROUP -> new PackedLayout(width, tokens, bits, group, Axis.PER_LANE, quantizer);
        };
    }
}
