package dev.kvasir.cache.method.xquant;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;

/**
 * What a layer that stands by itself stores, and its bytes.
 *
 * @param shape of the model
 * @param latent whether latents of keys and values are stored (B), or the input itself (A)
 * @param bits of a code
 * @param group numbers that share a scale, where that divides what they are taken from
 * @param keysByChannel whether the latents of keys share a scale with those of other tokens
 * @param valuesByChannel the same of values
 * @param quantizedPrefill whether a prompt sees itself as stored
 */
record XQuantPlan(
        CacheShape shape,
        boolean latent,
        int bits,
        int group,
        boolean keysByChannel,
        boolean valuesByChannel,
        boolean quantizedPrefill) {
    static final int PAGE_TOKENS = 128;
    static final Element TAIL = Element.F16;
    private static final int UNIT = PackedLayout.UNIT;

    /** Checks that the widths can be packed. */
    XQuantPlan {
        if (width(shape, latent) % UNIT != 0) {
            throw new InvalidInputException("xquant: a token has " + width(shape, latent)
                    + (latent ? " latents" : " inputs") + ", allowed are multiples of " + UNIT);
        }
    }

    /** The plan that settings ask for. */
    static XQuantPlan of(CacheSettings settings, CacheShape shape) {
        boolean latent = switch (settings.text("variant")) {
            case "a" -> false;
            case "b" -> true;
            default -> latentIsSmaller(shape);
        };
        return new XQuantPlan(
                shape,
                latent,
                settings.number("bits"),
                settings.number("group"),
                settings.text("k_axis").equals("channel"),
                settings.text("v_axis").equals("channel"),
                settings.flag("quantizedPrefill"));
    }

    /** Whether keys and values together are no wider than the input, as with grouped queries. */
    static boolean latentIsSmaller(CacheShape shape) {
        return shape.hiddenSize() >= 2 * outputs(shape);
    }

    /** Keys of a token, or values. */
    static int outputs(CacheShape shape) {
        return shape.kvHeads() * shape.headDim();
    }

    private static int width(CacheShape shape, boolean latent) {
        return latent ? Math.min(shape.hiddenSize(), outputs(shape)) : shape.hiddenSize();
    }

    /** Numbers that are stored of a token: inputs, or latents of keys, or of values. */
    int width() {
        return width(shape, latent);
    }

    /** The largest divisor of {@code width}, a multiple of 16, that is at most {@code group}. */
    static int group(int width, int group) {
        int units = width / UNIT;
        int most = Math.max(1, group / UNIT);
        while (units % most != 0) {
            most--;
        }
        return most * UNIT;
    }

    /** Rows of {@code width} numbers that come one by one, each with scales of its own. */
    static PackedLayout rows(int width, int bits, int group) {
        return new PackedLayout(width, PAGE_TOKENS, bits, group(width, group), Axis.PER_DEPTH, Quantizer.MIN_MAX);
    }

    /** Of inputs (A), or of the values' latents (B). */
    PackedLayout rows() {
        return latent && valuesByChannel
                ? new PackedLayout(width(), group, bits, group, Axis.PER_LANE, Quantizer.MIN_MAX)
                : rows(width(), bits, group);
    }

    /** Of the keys' latents (B). */
    PackedLayout columns() {
        return keysByChannel
                ? new PackedLayout(group, width(), bits, group, Axis.PER_DEPTH, Quantizer.MIN_MAX)
                : new PackedLayout(PAGE_TOKENS, width(), bits, group(width(), group), Axis.PER_LANE, Quantizer.MIN_MAX);
    }

    /** Tokens of a page of what is not quantized yet. */
    int tailPageTokens() {
        return Math.min(64, group);
    }

    /** Bytes of a layer of {@code tokens} tokens. */
    Footprint estimate(int tokens) {
        int full = tokens / group * group;
        boolean valueTail = latent && valuesByChannel;
        Footprint sum = packed(rows(), PackedValues.bytes(rows(), valueTail ? full : tokens));
        if (valueTail) {
            sum = sum.plus(window(ExactValues.bytes(TAIL, width(), tailPageTokens(), group, tokens - full)));
        }
        if (latent) {
            sum = sum.plus(packed(columns(), PackedKeys.bytes(columns(), keysByChannel ? full : tokens)));
            if (keysByChannel) {
                sum = sum.plus(window(ExactKeys.bytes(TAIL, width(), tailPageTokens(), tokens - full)));
            }
        }
        return sum;
    }

    static Footprint packed(PackedLayout layout, long bytes) {
        long pages = bytes / layout.bytes();
        return new Footprint(pages * layout.codeBytes(), pages * layout.scaleBytes(), 0, 0, 0);
    }

    private static Footprint window(long bytes) {
        return new Footprint(0, 0, bytes, 0, 0);
    }

    /** Bytes of the factors of a layer's weights, which all sequences of a model share. */
    long factorBytes() {
        return latent ? 2 * 4L * width() * (shape.hiddenSize() + outputs(shape)) : 0;
    }
}
