package dev.kvasir.cache.method.kivi;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.FlushingKeys;
import dev.kvasir.cache.store.FlushingValues;
import dev.kvasir.cache.store.KeyStore;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.SlidingValues;
import dev.kvasir.cache.store.ValueStore;

/** Who holds which token in KIVI: the packed stores, the windows, and their bytes. */
final class KiviHeads implements HeadFactory {
    private static final int PAGE_TOKENS = 128;

    private final int headDim;
    private final int residual;
    private final Element dtype;
    private final PackedLayout keys;
    private final PackedLayout values;
    /** Tokens of a window's page. */
    private final int windowTokens;

    KiviHeads(CacheSettings settings, int headDim) {
        this.headDim = headDim;
        int group = settings.number("group");
        residual = settings.number("residual");
        dtype = Element.of(settings.text("dtype"));
        boolean keysByChannel = settings.text("k_axis").equals("channel");
        boolean valuesByChannel = settings.text("v_axis").equals("channel");
        if (headDim % 16 != 0 || headDim % group != 0) {
            throw new InvalidInputException("kivi: group=" + group + " does not divide the head's " + headDim
                    + " channels; allowed are the divisors of " + headDim + " among 16, 32, 64, 128");
        }
        if (residual % 32 != 0 || residual % group != 0) {
            throw new InvalidInputException(
                    "kivi: residual=" + residual + " is not a multiple of 32 and of group=" + group);
        }
        if (residual == 0 && (keysByChannel || valuesByChannel)) {
            throw new InvalidInputException("kivi: residual=0 leaves no tokens to make a channel's group from; allowed"
                    + " are multiples of 32 and of group, or k_axis=token and v_axis=token");
        }
        int keyTokens = keysByChannel ? divisor(residual, PAGE_TOKENS) : PAGE_TOKENS;
        int valueTokens = valuesByChannel ? divisor(residual, PAGE_TOKENS) : PAGE_TOKENS;
        windowTokens = residual == 0 ? 32 : divisor(residual, 64);
        keys = new PackedLayout(
                keyTokens,
                headDim,
                settings.number("k_bits"),
                group,
                keysByChannel ? Axis.PER_DEPTH : Axis.PER_LANE,
                Quantizer.MIN_MAX);
        values = new PackedLayout(
                headDim,
                valueTokens,
                settings.number("v_bits"),
                group,
                valuesByChannel ? Axis.PER_LANE : Axis.PER_DEPTH,
                Quantizer.MIN_MAX);
    }

    /** The largest power of two, at most {@code most}, that divides {@code number}. */
    private static int divisor(int number, int most) {
        return Math.min(most, Integer.lowestOneBit(number));
    }

    @Override
    public Head head(int layer, int kvHead, PagePool pool, Kernels kernels) {
        return new Head(keys(pool, kernels), values(pool, kernels));
    }

    private KeyStore keys(PagePool pool, Kernels kernels) {
        PackedKeys packed = new PackedKeys(pool, kernels, keys);
        if (residual == 0) {
            return packed;
        }
        ExactKeys window = new ExactKeys(pool, kernels, dtype, headDim, windowTokens, true);
        return new FlushingKeys(packed, window, dtype, headDim, residual);
    }

    private ValueStore values(PagePool pool, Kernels kernels) {
        PackedValues packed = new PackedValues(pool, kernels, values);
        if (residual == 0) {
            return packed;
        }
        ExactValues window = new ExactValues(pool, kernels, dtype, headDim, windowTokens, residual);
        return values.axis() == Axis.PER_LANE
                ? new FlushingValues(packed, window, dtype, headDim, residual)
                : new SlidingValues(packed, window, dtype, headDim, residual);
    }

    /** Bytes of {@code heads} heads of {@code tokens} tokens. */
    Footprint estimate(int tokens, int heads) {
        int flushed = residual == 0 ? tokens : tokens / residual * residual;
        int slid = Math.max(0, tokens - residual);
        int keysPacked = flushed;
        int valuesPacked = values.axis() == Axis.PER_LANE ? flushed : slid;
        long keyPages = Math.ceilDiv(keysPacked, keys.lanes());
        long valuePages = Math.ceilDiv(valuesPacked, values.depth());
        long windows = 0;
        if (residual > 0) {
            windows += ExactKeys.bytes(dtype, headDim, windowTokens, tokens - keysPacked);
            int rows = values.axis() == Axis.PER_LANE ? tokens - valuesPacked : tokens;
            windows += ExactValues.bytes(dtype, headDim, windowTokens, residual, rows);
        }
        return new Footprint(
                heads * (keyPages * keys.codeBytes() + valuePages * values.codeBytes()),
                heads * (keyPages * keys.scaleBytes() + valuePages * values.scaleBytes()),
                heads * windows,
                0,
                0);
    }
}
