package dev.kvasir.cache.method.xquant;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.store.Accumulator;
import dev.kvasir.cache.store.PackedValues;

/**
 * What the layers of XQuant-CL store, and their bytes: the first ones stand by themselves, the last of those starts the sum that
 * the others add to.
 *
 * @param base of the layers that stand by themselves
 * @param baseLayers how many there are, the one that starts the sum among them
 * @param bits of a code of the layers that follow
 * @param group numbers that share a scale, where that divides a row
 * @param element of the sum
 */
record DeltaPlan(XQuantPlan base, int baseLayers, int bits, int group, Element element) {
    /** Checks that the rows can be packed. */
    DeltaPlan {
        if (width(base) % PackedLayout.UNIT != 0) {
            throw new InvalidInputException("xquant-cl: a token has " + width(base)
                    + " latents, allowed are multiples of " + PackedLayout.UNIT);
        }
    }

    /** The plan that settings ask for. */
    static DeltaPlan of(CacheSettings settings, CacheShape shape) {
        boolean latent = switch (settings.text("variant")) {
            case "c" -> false;
            case "d" -> true;
            default -> XQuantPlan.latentIsSmaller(shape);
        };
        int layers = settings.number("base_layers");
        if (layers < 1 || layers > 8) {
            throw new InvalidInputException("xquant-cl: base_layers=" + layers + " is not possible, allowed: 1 to 8");
        }
        int group = settings.number("group");
        XQuantPlan base = new XQuantPlan(
                shape, latent, settings.number("base_bits"), group, true, false, settings.flag("quantizedPrefill"));
        return new DeltaPlan(
                base,
                Math.min(layers, shape.layers()),
                settings.number("bits"),
                group,
                Element.of(settings.text("acc")));
    }

    CacheShape shape() {
        return base.shape();
    }

    /** The layer that starts the sum. */
    int start() {
        return baseLayers - 1;
    }

    private static int width(XQuantPlan base) {
        int both = 2 * XQuantPlan.outputs(base.shape());
        int hidden = base.shape().hiddenSize();
        return base.latent() ? Math.min(both, hidden) : hidden;
    }

    /** Numbers that are stored of a token: a difference of inputs (C), or its latents for keys and values together (D). */
    int width() {
        return width(base);
    }

    /** Rows of a layer from {@link #start} on. */
    PackedLayout rows(int layer) {
        return XQuantPlan.rows(width(), layer == start() ? base.bits() : bits, group);
    }

    /** Bytes of a cache of {@code tokens} tokens; the sum counts as a window, which it is as little codes as. */
    Footprint estimate(int tokens) {
        Footprint all = new Footprint(0, 0, Accumulator.bytes(element, shape().hiddenSize(), tokens), 0, 0);
        for (int layer = 0; layer < shape().layers(); layer++) {
            all = all.plus(
                    layer < start()
                            ? base.estimate(tokens)
                            : XQuantPlan.packed(rows(layer), PackedValues.bytes(rows(layer), tokens)));
        }
        return all;
    }

    /** Bytes of the factors of all layers' weights, which all sequences of a model share. */
    long factorBytes() {
        long ofOne = base.latent() ? 4L * width() * shape().hiddenSize() : 0;
        return start() * base.factorBytes() + (shape().layers() - start()) * ofOne;
    }
}
