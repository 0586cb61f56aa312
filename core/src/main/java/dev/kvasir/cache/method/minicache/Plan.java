package dev.kvasir.cache.method.minicache;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.HeadTiles;
import dev.kvasir.cache.store.NewestTokens;
import dev.kvasir.cache.store.TokenScalars;
import dev.kvasir.cache.transform.SharedDirection;
import java.util.Locale;

/**
 * The options, checked.
 *
 * @param start first layer of the first pair; no pair if it is the last layer or more
 * @param minCosine a pair whose first tokens agree less is refused
 * @param window newest tokens of both layers that are not merged yet, 0 if every token is merged at once
 * @param beforeRope whether directions of keys are stored before the rotary embedding
 * @param inner what stores the directions, and the layers without a pair
 */
record Plan(
        CacheShape shape,
        int start,
        SharedDirection direction,
        Retention.Rule retention,
        KeptTokens.Scope scope,
        double minCosine,
        int window,
        boolean beforeRope,
        CacheSpec inner) {
    static Plan of(CacheSettings settings, CacheShape shape) {
        int start = start(settings.decimal("start"), shape.layers());
        int window = settings.number("window");
        if (window % 32 != 0 || window > 4096) {
            throw new InvalidInputException(
                    "minicache: window=" + window + " is not possible, allowed: 0, or a multiple of 32 up to 4096");
        }
        return new Plan(
                shape,
                start,
                new SharedDirection(
                        SharedDirection.Merge.valueOf(constant(settings.text("merge"))), share(settings, "t")),
                new Retention.Rule(
                        Retention.Mode.valueOf(constant(settings.text("retention"))),
                        share(settings, "gamma"),
                        share(settings, "retainTopFraction")),
                KeptTokens.Scope.valueOf(constant(settings.text("scope"))),
                share(settings, "minCosine"),
                window,
                settings.text("rope").equals("before"),
                settings.spec("inner"));
    }

    private static int start(double start, int layers) {
        int first = start < 1 ? (int) Math.floor(start * layers) : (int) Math.min(start, layers);
        if ((start >= 1 && start != Math.rint(start)) || first < layers / 4) {
            throw new InvalidInputException(
                    "minicache: start=" + start + " of " + layers + " layers; allowed are layers from " + layers / 4
                            + " on, or parts of the depth from 0.25 to below 1");
        }
        return first;
    }

    private static String constant(String text) {
        return text.replace('-', '_').toUpperCase(Locale.ROOT);
    }

    private static double share(CacheSettings settings, String option) {
        double value = settings.decimal(option);
        if (value > 1) {
            throw new InvalidInputException(
                    "minicache: " + option + "=" + settings.text(option) + " is not possible, allowed: 0 to 1");
        }
        return value;
    }

    int kvHeads() {
        return shape.kvHeads();
    }

    int headDim() {
        return shape.headDim();
    }

    /** Whether a pair begins with a layer. */
    boolean pairsFrom(int layer) {
        return layer >= start && (layer - start) % 2 == 0 && layer + 1 < shape.layers();
    }

    int pairs() {
        return Math.max(0, shape.layers() - start) / 2;
    }

    /** Retention sets of keys, and of values. */
    int setsPerSide() {
        return scope == KeptTokens.Scope.HEAD ? kvHeads() : 1;
    }

    int headsPerSet() {
        return kvHeads() / setsPerSide();
    }

    /** Tokens that are merged when {@code tokens} more come to {@code waiting} in the window. */
    int merging(int waiting, int tokens) {
        return window == 0 ? waiting + tokens : (waiting + tokens) / window * window;
    }

    /**
     * The stores of directions.
     *
     * @throws InvalidInputException if they cannot be stored so
     */
    HeadFactory directions(CacheModel model) {
        HeadFactory heads = Caches.heads("minicache", inner, model);
        if (pairs() > 0) {
            check(heads, heads.head(start + 1, 0, new PagePool(0), Kernels.best()));
        }
        return heads;
    }

    private void check(HeadFactory heads, Head head) {
        if (!head.keys().keepsOrder() || !head.values().keepsOrder()) {
            throw new InvalidInputException(
                    "minicache cannot store in " + inner + ", which moves tokens, or changes them"
                            + " more than once, after they are stored, so that their lengths would be others'");
        }
        if (beforeRope && !(heads.keyTransform(start + 1, 0).isNone() && HeadTiles.canRestore(head.keys()))) {
            throw new InvalidInputException("minicache: rope=before with inner=" + inner
                    + ", whose keys cannot be turned as they are read; allowed are exact, kivi, bfp and block without"
                    + " rotation, or rope=after");
        }
    }

    /** Bytes of {@code tokens} tokens but for those that the data make it keep, whose number nobody knows beforehand. */
    Footprint estimate(int tokens) {
        int merged = merging(0, tokens);
        long lengths = 2L * pairs() * TokenScalars.bytes(2 * kvHeads(), merged);
        long windows = 2L * pairs() * NewestTokens.bytes(headDim(), kvHeads(), window, tokens - merged);
        Footprint alone = Caches.estimate(inner, layers(shape.layers() - 2 * pairs()), tokens);
        Footprint directions = Caches.estimate(inner, layers(pairs()), merged);
        return alone.plus(directions).plus(new Footprint(0, lengths, windows, 0, 0));
    }

    private CacheShape layers(int layers) {
        return shape.withLayers(layers);
    }
}
