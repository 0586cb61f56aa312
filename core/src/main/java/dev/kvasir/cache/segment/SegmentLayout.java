package dev.kvasir.cache.segment;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;

/**
 * What the segments of a cache and the exact tokens after them are stored in, and the bytes (He et al., ZipCache, arXiv
 * 2405.14256, section 4: channel-separable tokenwise quantization and its rivals).
 *
 * @param highBits bits of a code in the set of important tokens
 * @param lowBits bits of a code in the other set
 * @param layerRows whether a value's scale is for the channels of all heads, otherwise for one head's
 * @param perLayer whether all heads of a layer share one selection
 * @param interval tokens at which the tail becomes a segment
 * @param gathers whether the tail holds what probes gave to its tokens
 */
public record SegmentLayout(
        CacheShape shape,
        int highBits,
        int lowBits,
        KeyScheme keyScheme,
        ValueScheme valueScheme,
        boolean layerRows,
        boolean perLayer,
        int interval,
        boolean gathers) {
    /** Numbers that share a scale where the schemes are groups. */
    private static final int GROUP = 32;
    /** Tokens of a page of the tail. */
    static final int TAIL_PAGE = 32;

    /** What shares a scale among a set's keys: a channel's, a token's, or a group of a token's channels. */
    public enum KeyScheme {
        CHANNEL,
        TOKEN,
        GROUP
    }

    /** The same of values; {@code CST} divides channels by a factor of their own first. */
    public enum ValueScheme {
        CST,
        TOKEN,
        GROUP
    }

    /**
     * Refuses heads whose channels do not fill whole groups.
     *
     * @param method whose name the message begins with
     * @throws InvalidInputException if they do not
     */
    public void checkWidth(String method) {
        boolean grouped = keyScheme == KeyScheme.GROUP || valueScheme == ValueScheme.GROUP;
        int divisor = grouped ? GROUP : PackedLayout.UNIT;
        if (shape.headDim() % divisor != 0) {
            throw new InvalidInputException(method + ": heads of " + shape.headDim()
                    + " channels, allowed are multiples of " + divisor + (grouped ? " with groups of " + GROUP : ""));
        }
    }

    /** Channels of all KV heads. */
    public int channels() {
        return shape.kvHeads() * shape.headDim();
    }

    /** Selections of a segment: one for each KV head, or one. */
    public int selections() {
        return perLayer ? 1 : shape.kvHeads();
    }

    /** Whether a row's channels are divided by a factor first. */
    public boolean separatesChannels() {
        return valueScheme == ValueScheme.CST;
    }

    /** Bits of the important tokens or of the others. */
    public int bits(boolean high) {
        return high ? highBits : lowBits;
    }

    /** A head's keys of a set of {@code tokens} tokens: one page, whose lanes are filled up to whole units. */
    public PackedLayout keys(int bits, int tokens) {
        int lanes = Math.ceilDiv(tokens, PackedLayout.UNIT) * PackedLayout.UNIT;
        return switch (keyScheme) {
            case CHANNEL -> new PackedLayout(lanes, shape.headDim(), bits, lanes, Axis.PER_DEPTH, Quantizer.MIN_MAX);
            case TOKEN ->
                new PackedLayout(lanes, shape.headDim(), bits, shape.headDim(), Axis.PER_LANE, Quantizer.MIN_MAX);
            case GROUP -> new PackedLayout(lanes, shape.headDim(), bits, GROUP, Axis.PER_LANE, Quantizer.MIN_MAX);
        };
    }

    /** All heads' values of a set of {@code tokens} tokens: one page. */
    public PackedLayout values(int bits, int tokens) {
        int group = valueScheme == ValueScheme.GROUP ? GROUP : layerRows ? channels() : shape.headDim();
        return new PackedLayout(channels(), tokens, bits, group, Axis.PER_DEPTH, Quantizer.MIN_MAX);
    }

    /** Words of 32 bits of a selection among {@code tokens} tokens. */
    static int words(int tokens) {
        return Math.ceilDiv(tokens, Integer.SIZE);
    }

    /** Numbers beside the tail: a sum for each head and token, and how many probes saw the token. */
    int tailNumbers() {
        return gathers ? (shape.kvHeads() + 1) * interval : 0;
    }

    /** Bytes of one layer's exact tail of {@code tokens} tokens. */
    public Footprint tail(int tokens) {
        if (tokens == 0) {
            return Footprint.ZERO;
        }
        long keys = ExactKeys.bytes(Element.F16, shape.headDim(), TAIL_PAGE, tokens);
        long values = ExactValues.bytes(Element.F16, shape.headDim(), TAIL_PAGE, 0, tokens);
        return new Footprint(0, 0, shape.kvHeads() * (keys + values), 4L * tailNumbers(), 0);
    }

    /** Bytes of one layer's segment of {@code tokens} tokens, {@code high} of which are important. */
    public Footprint segment(int tokens, int high) {
        Footprint factors = new Footprint(0, separatesChannels() ? 2L * channels() : 0, 0, 0, 0);
        Footprint selection = new Footprint(0, 0, 0, 4L * selections() * words(tokens), 0);
        return set(highBits, high)
                .plus(set(lowBits, tokens - high))
                .plus(factors)
                .plus(selection);
    }

    private Footprint set(int bits, int tokens) {
        if (tokens == 0) {
            return Footprint.ZERO;
        }
        PackedLayout keys = keys(bits, tokens);
        PackedLayout values = values(bits, tokens);
        int heads = shape.kvHeads();
        return new Footprint(
                heads * keys.codeBytes() + values.codeBytes(),
                heads * keys.scaleBytes() + values.scaleBytes(),
                0,
                0,
                0);
    }

    /** What one layer's footprint is in all layers. */
    public Footprint ofAllLayers(Footprint layer) {
        int layers = shape.layers();
        return new Footprint(
                layers * layer.codes(), layers * layer.scales(), layers * layer.windows(), layers * layer.indices(), 0);
    }
}
