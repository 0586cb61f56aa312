package dev.kvasir.cache.method.cskv;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.FlushingKeys;
import dev.kvasir.cache.store.KeyStore;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.RecentRows;

/**
 * How CSKV arranges a layer.
 *
 * @param keys what keys' latents are stored as
 * @param values likewise
 * @param block tokens whose latents are quantized together
 * @param window tokens that stay exact at most
 * @param rule when they stop being exact
 * @param rollback tokens that can be taken back without missing an exact one
 * @param element of the window, and of latents that are not quantized
 */
record CskvPlan(
        CacheShape shape, Side keys, Side values, int block, int window, Rule rule, int rollback, Element element) {
    static final String NAME = "cskv";
    /** Latents of this width are not quantized. */
    static final int EXACT_BITS = 16;
    /** The width for which factors are trained through the quantizer. */
    static final int TRAINED_BITS = 4;

    private static final int PACKED_PAGE = 128;
    private static final int EXACT_PAGE = 64;

    /** When exact tokens are dropped. */
    enum Rule {
        /** The last {@code window} tokens are exact. */
        SLIDING {
            @Override
            int firstExact(int tokens, int window) {
                return Math.max(0, tokens - window);
            }

            @Override
            int smallest(int oldest, int window) {
                return oldest == 0 ? 0 : oldest + window;
            }
        },
        /** Tokens gather until there are {@code window}, and are then dropped together. */
        FLUSH {
            @Override
            int firstExact(int tokens, int window) {
                return tokens - tokens % window;
            }

            @Override
            int smallest(int oldest, int window) {
                return Math.ceilDiv(oldest, window) * window;
            }
        };

        /** The first exact slot of {@code tokens}. */
        abstract int firstExact(int tokens, int window);

        /** The fewest tokens of which all that should be exact are slot {@code oldest} or later. */
        abstract int smallest(int oldest, int window);
    }

    /**
     * One side's latents.
     *
     * @param rank width of a token's latent, all KV heads together
     * @param bits of a number
     * @param byChannel whether a channel's numbers in a block share a scale, or a token's in a group of channels
     * @param group channels of such a group: a head's share
     * @param trainedFor bits that the factors were trained for
     */
    record Side(int rank, int bits, boolean byChannel, int group, int trainedFor) {
        private boolean packed() {
            return bits < EXACT_BITS;
        }

        private PackedLayout layout(int block) {
            return new PackedLayout(
                    PACKED_PAGE,
                    rank,
                    bits,
                    byChannel ? block : group,
                    byChannel ? Axis.PER_DEPTH : Axis.PER_LANE,
                    Quantizer.MIN_MAX);
        }

        /** An empty store. */
        KeyStore store(PagePool pool, Kernels kernels, Element element, int block) {
            if (!packed()) {
                return new ExactKeys(pool, kernels, element, rank, EXACT_PAGE, false);
            }
            return new FlushingKeys(
                    new PackedKeys(pool, kernels, layout(block)),
                    new ExactKeys(pool, kernels, element, rank, block, true),
                    element,
                    rank,
                    block);
        }

        private Footprint estimate(Element element, int block, int tokens) {
            if (!packed()) {
                return new Footprint(ExactKeys.bytes(element, rank, EXACT_PAGE, tokens), 0, 0, 0, 0);
            }
            long pages = Math.ceilDiv(tokens / block * block, PACKED_PAGE);
            PackedLayout layout = layout(block);
            return new Footprint(
                    pages * layout.codeBytes(),
                    pages * layout.scaleBytes(),
                    ExactKeys.bytes(element, rank, block, tokens % block),
                    0,
                    0);
        }

        /** What calibrations call the factors that serve this. */
        String variant() {
            return variant(trainedFor);
        }

        static String variant(int bits) {
            return bits == EXACT_BITS ? "exact" : "q" + bits;
        }
    }

    /** By its options, for models of that shape. */
    static CskvPlan of(CacheSettings settings, CacheShape shape) {
        int window = settings.number("window");
        if (window < 2 || window > 4096) {
            throw new InvalidInputException("cskv: window=" + window + " is not possible, allowed: 2 to 4096");
        }
        int rollback = settings.number("rollback");
        if (rollback > 4096) {
            throw new InvalidInputException("cskv: rollback=" + rollback + " is not possible, allowed: 0 to 4096");
        }
        return new CskvPlan(
                shape,
                side(settings, shape, "k_", true),
                side(settings, shape, "v_", false),
                settings.number("block"),
                window,
                settings.text("rule").equals("sliding") ? Rule.SLIDING : Rule.FLUSH,
                rollback,
                Element.of(settings.text("dtype")));
    }

    private static Side side(CacheSettings settings, CacheShape shape, String prefix, boolean byChannel) {
        String option = prefix + "density";
        double density = settings.decimal(option);
        if (density < 0.05 || density > 1) {
            throw new InvalidInputException(
                    "cskv: " + option + "=" + settings.text(option) + " is not possible, allowed: 0.05 to 1");
        }
        int group = (int) Math.floor(density * shape.headDim() + 1e-9);
        if (group == 0) {
            throw new InvalidInputException("cskv: " + option + "=" + settings.text(option)
                    + " leaves none of the head's " + shape.headDim() + " channels");
        }
        int bits = settings.number(prefix + "bits");
        boolean trained = bits == TRAINED_BITS && settings.flag("qat");
        return new Side(shape.kvHeads() * group, bits, byChannel, group, trained ? TRAINED_BITS : EXACT_BITS);
    }

    /** Numbers of a token's keys, and of its values. */
    int width() {
        return shape.kvHeads() * shape.headDim();
    }

    /** Rows of the ring of exact tokens. */
    int ring() {
        return window + rollback;
    }

    /** Bytes of {@code tokens} tokens. */
    Footprint estimate(int tokens) {
        Footprint layer = keys.estimate(element, block, tokens)
                .plus(values.estimate(element, block, tokens))
                .plus(new Footprint(0, 0, RecentRows.bytes(element, width(), ring(), tokens), 0, 0));
        Footprint all = Footprint.ZERO;
        for (int i = 0; i < shape.layers(); i++) {
            all = all.plus(layer);
        }
        return all;
    }

    /** Bytes of the factors of all layers in F32: beside the cache, once for all sequences. */
    long factorBytes() {
        return 4L * shape.layers() * (keys.rank() + values.rank()) * (shape.hiddenSize() + width());
    }
}
