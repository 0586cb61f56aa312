package dev.kvasir.cache.method.block;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.transform.Hadamard;
import dev.kvasir.cache.transform.Transform;

/** The stores of block-quantized heads: one packed store a side, in the rotated basis if asked for. */
final class BlockHeads implements HeadFactory {
    private static final int BLOCK = 32;
    private static final int PAGE_TOKENS = 128;

    private final PackedLayout keys;
    private final PackedLayout values;
    private final Transform transform;

    BlockHeads(CacheSettings settings, int headDim) {
        if (headDim % BLOCK != 0) {
            throw new InvalidInputException(
                    "block: the head's " + headDim + " channels are not a multiple of the block of " + BLOCK);
        }
        Quantizer k = BlockType.of(settings.text("k")).quantizer();
        Quantizer v = BlockType.of(settings.text("v")).quantizer();
        keys = new PackedLayout(PAGE_TOKENS, headDim, k.bits(), BLOCK, Axis.PER_LANE, k);
        values = new PackedLayout(headDim, PAGE_TOKENS, v.bits(), BLOCK, Axis.PER_DEPTH, v);
        transform = settings.flag("rotate") ? new Hadamard(headDim) : Transform.NONE;
    }

    @Override
    public Head head(int layer, int kvHead, PagePool pool, Kernels kernels) {
        return new Head(new PackedKeys(pool, kernels, keys), new PackedValues(pool, kernels, values));
    }

    @Override
    public Transform keyTransform(int layer, int kvHead) {
        return transform;
    }

    @Override
    public Transform valueTransform(int layer, int kvHead) {
        return transform;
    }

    /** Bytes of {@code heads} heads of {@code tokens} tokens. */
    Footprint estimate(int tokens, int heads) {
        long pages = (long) heads * Math.ceilDiv(tokens, PAGE_TOKENS);
        return new Footprint(
                pages * (keys.codeBytes() + values.codeBytes()),
                pages * (keys.scaleBytes() + values.scaleBytes()),
                0,
                0,
                0);
    }
}
