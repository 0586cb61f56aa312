package dev.kvasir.cache.method.bfp;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.FlushingValues;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.ValueStore;
import dev.kvasir.cache.transform.ChannelPermutation;
import dev.kvasir.cache.transform.Composition;
import dev.kvasir.cache.transform.Transform;
import java.util.Optional;

/** The stores of heads in block floating point: one packed store a side, values perhaps behind a window of one block. */
final class BfpHeads implements HeadFactory {
    private static final int PAGE_TOKENS = 128;

    private final int headDim;
    private final PackedLayout keys;
    private final PackedLayout values;
    private final boolean valuesByToken;
    private final Transform rounding;
    /** Of each layer and KV head; empty where keys are stored in the model's order. */
    private final Transform[][] orders;

    BfpHeads(CacheSettings settings, CacheShape shape, Optional<Calibration> calibration) {
        headDim = shape.headDim();
        int keyBlock = settings.number("k_block");
        int valueBlock = settings.number("v_block");
        valuesByToken = settings.text("v_axis").equals("token");
        requireDivisor("k_block", keyBlock, headDim);
        if (!valuesByToken) {
            requireDivisor("v_block", valueBlock, headDim);
        } else if (headDim % 16 != 0) {
            throw new InvalidInputException("bfp: the head's " + headDim + " channels are not a multiple of 16");
        }
        int keyBits = bits(settings.text("k"));
        int valueBits = bits(settings.text("v"));
        keys = new PackedLayout(PAGE_TOKENS, headDim, keyBits, keyBlock, Axis.PER_LANE, Quantizer.blockFloat(keyBits));
        values = new PackedLayout(
                headDim,
                PAGE_TOKENS,
                valueBits,
                valueBlock,
                valuesByToken ? Axis.PER_LANE : Axis.PER_DEPTH,
                Quantizer.blockFloat(valueBits));
        rounding = settings.text("q").equals("bfp16") ? new MantissaRounding(headDim, keyBlock) : Transform.NONE;
        orders = calibration.map(found -> orders(found, shape)).orElse(new Transform[0][]);
    }

    private static void requireDivisor(String option, int block, int headDim) {
        if (headDim % block != 0) {
            throw new InvalidInputException("bfp: " + option + "=" + block + " does not divide the head's " + headDim
                    + " channels; allowed are the divisors of " + headDim + " among 16, 32, 64, 128");
        }
    }

    private static int bits(String format) {
        return switch (format) {
            case "bfp12" -> 4;
            case "bfp14" -> 6;
            case "bfp16" -> 8;
            default -> throw new IllegalArgumentException("format " + format);
        };
    }

    private static Transform[][] orders(Calibration calibration, CacheShape shape) {
        int headDim = shape.headDim();
        Transform[][] all = new Transform[shape.layers()][shape.kvHeads()];
        for (int layer = 0; layer < all.length; layer++) {
            float[] order = calibration.data(BfpCalibrator.name(layer), shape.kvHeads(), headDim);
            for (int h = 0; h < shape.kvHeads(); h++) {
                int[] channels = new int[headDim];
                boolean[] seen = new boolean[headDim];
                for (int c = 0; c < headDim; c++) {
                    float number = order[h * headDim + c];
                    int channel = (int) number;
                    if (channel != number || channel < 0 || channel >= headDim || seen[channel]) {
                        throw new Calibration.CalibrationException(
                                "bfp", BfpCalibrator.name(layer) + " is no permutation: it holds " + number);
                    }
                    seen[channel] = true;
                    channels[c] = channel;
                }
                all[layer][h] = new ChannelPermutation(channels);
            }
        }
        return all;
    }

    @Override
    public Head head(int layer, int kvHead, PagePool pool, Kernels kernels) {
        return new Head(new PackedKeys(pool, kernels, keys), values(pool, kernels));
    }

    private ValueStore values(PagePool pool, Kernels kernels) {
        PackedValues packed = new PackedValues(pool, kernels, values);
        if (!valuesByToken) {
            return packed;
        }
        int block = values.group();
        ExactValues window = new ExactValues(pool, kernels, Element.F16, headDim, block, block);
        return new FlushingValues(packed, window, Element.F16, headDim, block);
    }

    @Override
    public Transform keyTransform(int layer, int kvHead) {
        if (orders.length == 0) {
            return rounding;
        }
        Transform order = orders[layer][kvHead];
        return rounding.isNone() ? order : Composition.of(order, rounding);
    }

    /** Bytes of {@code heads} heads of {@code tokens} tokens. */
    Footprint estimate(int tokens, int heads) {
        int flushed = valuesByToken ? tokens / values.group() * values.group() : tokens;
        long keyPages = (long) heads * Math.ceilDiv(tokens, PAGE_TOKENS);
        long valuePages = (long) heads * Math.ceilDiv(flushed, PAGE_TOKENS);
        long windows = valuesByToken
                ? heads * ExactValues.bytes(Element.F16, headDim, values.group(), values.group(), tokens - flushed)
                : 0;
        return new Footprint(
                keyPages * keys.codeBytes() + valuePages * values.codeBytes(),
                keyPages * keys.scaleBytes() + valuePages * values.scaleBytes(),
                windows,
                0,
                0);
    }
}
