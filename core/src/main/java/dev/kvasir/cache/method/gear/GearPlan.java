package dev.kvasir.cache.method.gear;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.method.gear.Backbone.Sharing;
import dev.kvasir.cache.store.ChunkBuffer;

/** What the options and the model's shape decide: backbones, ranks, outliers, and the sizes of chunks. */
final class GearPlan {
    /** Bits from which {@code backbone=auto} shares scales as widely as KCVT does. */
    private static final int COARSE_BITS = 4;

    private static final int MAX_RANK = 16;
    private static final int MAX_LOOPS = 8;

    private static final int MAX_BUFFER = 4096;
    private static final double MAX_SPARSITY = 0.1;

    final int kvHeads;
    final int headDim;
    final int buffer;
    final int rank;
    final int decodeRank;
    final int loops;
    final double sparsity;
    final Element dtype;
    final Backbone keys;
    final Backbone values;
    /** A chunk as decoding makes them. */
    private final ChunkShape decodeShape;

    GearPlan(CacheSettings settings, CacheShape shape) {
        kvHeads = shape.kvHeads();
        headDim = shape.headDim();
        buffer = settings.number("buffer");
        loops = settings.number("loop");
        dtype = Element.of(settings.text("dtype"));
        keys = backbone("k", settings);
        values = backbone("v", settings);
        if (buffer < 32 || buffer > MAX_BUFFER || buffer % 32 != 0) {
            throw new InvalidInputException(
                    "gear: buffer=" + buffer + " is not possible, allowed: multiples of 32 up to " + MAX_BUFFER);
        }
        keys.check(headDim, buffer);
        values.check(headDim, buffer);
        check("rank", settings.number("rank"), 0, MAX_RANK);
        check("loop", loops, 1, MAX_LOOPS);
        boolean lowRank = !settings.text("variant").equals("backbone");
        rank = lowRank ? settings.number("rank") : 0;
        if (lowRank) {
            check("decode_rank", settings.number("decode_rank"), 0, rank);
        }
        decodeRank = lowRank ? settings.number("decode_rank") : 0;
        double share = settings.decimal("sparsity");
        if (share > MAX_SPARSITY) {
            throw new InvalidInputException(
                    "gear: sparsity=" + share + " is not possible, allowed: 0 to " + MAX_SPARSITY);
        }
        sparsity = settings.text("variant").equals("gear") ? share : 0;
        decodeShape = new ChunkShape(this, buffer, decodeRank);
    }

    private static void check(String option, int found, int least, int most) {
        if (found < least || found > most) {
            throw new InvalidInputException(
                    "gear: " + option + "=" + found + " is not possible, allowed: " + least + " to " + most);
        }
    }

    private static Backbone backbone(String side, CacheSettings settings) {
        int bits = settings.number(side + "_bits");
        String name = settings.text("backbone");
        if (name.equals("auto")) {
            name = bits >= COARSE_BITS ? "kcvt" : "kivi";
        }
        boolean key = side.equals("k");
        Sharing sharing = switch (name) {
            case "kcvt" -> key ? Sharing.CHANNEL_CHUNK : Sharing.TOKEN_LAYER;
            case "kivi" -> key ? Sharing.CHANNEL_GROUP : Sharing.TOKEN_GROUP;
            case "token" -> Sharing.TOKEN_GROUP;
            case "channel" -> Sharing.CHANNEL_GROUP;
            default -> throw new IllegalArgumentException("backbone " + name);
        };
        return new Backbone(sharing, bits, settings.number("group"), quantizer(settings.text("quantizer"), bits));
    }

    private static Quantizer quantizer(String name, int bits) {
        return switch (name) {
            case "min_max" -> Quantizer.MIN_MAX;
            case "symmetric" -> Quantizer.symmetric(bits);
            case "ggml" -> ggml(bits);
            default -> throw new IllegalArgumentException("quantizer " + name);
        };
    }

    private static Quantizer ggml(int bits) {
        return switch (bits) {
            case 4 -> Quantizer.Q4_0;
            case 5 -> Quantizer.Q5_0;
            case 8 -> Quantizer.Q8_0;
            default ->
                throw new InvalidInputException(
                        "gear: quantizer=ggml has no codes of " + bits + " bits, allowed: 4, 5, 8");
        };
    }

    /** Channels of all heads. */
    int width() {
        return kvHeads * headDim;
    }

    /** The rank of a chunk whose last {@code step} tokens came together: a prompt, or a part of one, if they fill a buffer. */
    int rankOf(int step) {
        return step >= buffer ? rank : decodeRank;
    }

    /** The chunk that {@code flushed} tokens become, the last {@code step} of which came in one step. */
    ChunkShape chunk(int flushed, int step) {
        // Fewer tokens than a buffer's fill but one.
        return step >= buffer ? new ChunkShape(this, flushed, rank) : decodeShape;
    }

    /** Bytes of {@code layers} layers of a prompt of {@code tokens} tokens. */
    Footprint estimate(int tokens, int layers) {
        int compressed = tokens / buffer * buffer;
        Footprint sum = new Footprint(0, 0, kvHeads * ChunkBuffer.bytes(dtype, headDim, tokens - compressed), 0, 0);
        if (compressed > 0) {
            sum = sum.plus(new ChunkShape(this, compressed, rank).footprint());
        }
        return new Footprint(
                layers * sum.codes(), layers * sum.scales(), layers * sum.windows(), layers * sum.indices(), 0);
    }
}
