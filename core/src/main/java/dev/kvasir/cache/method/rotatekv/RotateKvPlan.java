package dev.kvasir.cache.method.rotatekv;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.kernel.ScaleFormat;
import dev.kvasir.cache.store.ExactRows;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.transform.GroupedHadamard;
import dev.kvasir.cache.transform.Hadamard;
import dev.kvasir.cache.transform.Transform;

/**
 * The settings of a cache for a model's shape, checked, and the layouts that follow from them.
 *
 * @param keys a page of keys of all heads: tokens in lanes, channels in depth
 * @param values a page of values of all heads: channels in lanes, tokens in depth
 * @param headsPerRotation heads that are rotated together
 * @param beforeRope whether keys are stored before RoPE
 * @param reorder {@code signed}, {@code abs} or {@code off}
 * @param sinkEntries activations of largest magnitude whose tokens are exact
 * @param quantizedPrefill whether a prompt's tokens see each other as stored
 * @param fuse whether the bases are folded into the projections
 */
record RotateKvPlan(
        CacheShape shape,
        PackedLayout keys,
        PackedLayout values,
        int headsPerRotation,
        boolean beforeRope,
        String reorder,
        int sinkEntries,
        boolean quantizedPrefill,
        boolean fuse) {
    static final String NAME = "rotatekv";
    static final String NO_REORDER = "off";
    static final Element EXACT = Element.F16;

    private static final int PAGE_TOKENS = 128;
    private static final int MOST_SINKS = 64;

    /** Throws {@link InvalidInputException} if the settings do not fit the shape. */
    static RotateKvPlan of(CacheSettings settings, CacheShape shape) {
        int channels = shape.kvHeads() * shape.headDim();
        int group = group(settings.number("groupSize"), shape.headDim());
        int keyBits = settings.number("k_bits");
        int valueBits = settings.number("v_bits");
        int sinkEntries = settings.number("sinkEntries");
        if (sinkEntries > MOST_SINKS) {
            throw new InvalidInputException(
                    NAME + ": sinkEntries=" + sinkEntries + " is not possible, allowed: 0 to " + MOST_SINKS);
        }
        boolean beforeRope = settings.text("rotatePosition").equals("pre");
        if (settings.flag("fuse") && !beforeRope) {
            throw new InvalidInputException(NAME
                    + ": fuse=true is not possible with rotatePosition=post: RoPE comes between the projection and the"
                    + " rotation; allowed: fuse=false, or rotatePosition=pre");
        }
        Quantizer keyQuantizer = quantizer(settings, keyBits);
        Quantizer valueQuantizer = quantizer(settings, valueBits);
        return new RotateKvPlan(
                shape,
                new PackedLayout(PAGE_TOKENS, channels, keyBits, group, Axis.PER_LANE, keyQuantizer),
                new PackedLayout(channels, PAGE_TOKENS, valueBits, group, Axis.PER_DEPTH, valueQuantizer),
                Math.min(settings.number("headsPerRotation"), Integer.lowestOneBit(shape.kvHeads())),
                beforeRope,
                settings.text("reorder"),
                sinkEntries,
                settings.flag("quantizedPrefill"),
                settings.flag("fuse"));
    }

    private static int group(int wanted, int headDim) {
        int group = Math.min(wanted, headDim);
        if (headDim % PackedLayout.UNIT != 0 || headDim % group != 0) {
            throw new InvalidInputException(NAME + ": groupSize=" + wanted + " does not divide the head's " + headDim
                    + " channels; allowed are the divisors of " + headDim
                    + " among 16, 32, 64, 128, or any larger number"
                    + " among them, for " + headDim + " itself; a head must have a multiple of 16 channels");
        }
        return group;
    }

    /** The paper clips only where levels are so few that a wider step costs more than a clipped tail. */
    private static Quantizer quantizer(CacheSettings settings, int bits) {
        double given = settings.decimal("clip");
        if (given > 1) {
            throw new InvalidInputException(NAME + ": clip=" + given + " is not possible, allowed: 0 to 1");
        }
        double clip = given > 0 ? given : bits == 2 ? 0.8 : 1;
        return Quantizer.rotate(
                (float) clip, settings.text("paramFormat").equals("fp8") ? ScaleFormat.E4M3 : ScaleFormat.F16);
    }

    /** The rotation of neighbouring heads. */
    GroupedHadamard rotation() {
        return new GroupedHadamard(headsPerRotation, shape.headDim());
    }

    /** The rotation of the values of a head. */
    Transform valueBasis() {
        return new Hadamard(shape.headDim());
    }

    /** Bytes of {@code tokens} tokens. */
    Footprint estimate(int tokens) {
        int layers = shape.layers();
        long keyPages = PackedKeys.bytes(keys, tokens) / keys.bytes();
        long valuePages = PackedValues.bytes(values, tokens) / values.bytes();
        long rows = Math.min(sinkEntries, tokens);
        return new Footprint(
                layers * (keyPages * keys.codeBytes() + valuePages * values.codeBytes()),
                layers * (keyPages * keys.scaleBytes() + valuePages * values.scaleBytes()),
                layers * rows * ExactRows.rowBytes(EXACT, shape.headDim(), shape.kvHeads()),
                0,
                0);
    }
}
