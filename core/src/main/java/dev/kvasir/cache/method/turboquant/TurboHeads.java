package dev.kvasir.cache.method.turboquant;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import java.util.List;

/** The parts of TurboQuant's heads: one for all channels, or one for the outliers and one for the rest. */
final class TurboHeads implements HeadFactory {
    private final int headDim;
    private final List<TurboPart> parts;

    TurboHeads(CacheSettings settings, int headDim) {
        this.headDim = headDim;
        int outliers = settings.number("outliers");
        if (headDim % 16 != 0 || outliers % 16 != 0 || outliers >= headDim) {
            throw new InvalidInputException(
                    "turboquant: outliers=" + outliers + " of a head of " + headDim
                            + " channels; allowed are multiples of 16 below the head's channels, which must be a multiple of 16");
        }
        boolean sketched = settings.text("keys").equals("prod");
        int keyBits = settings.number("k_bits");
        int valueBits = settings.number("v_bits");
        int extra = outliers > 0 ? 1 : 0;
        if (sketched && keyBits < 2) {
            throw new InvalidInputException("turboquant: keys=prod takes one of k_bits=" + keyBits
                    + " for the sketch; allowed are k_bits of 2 and more, or keys=mse");
        }
        if (valueBits + extra > 4 || keyBits + extra - (sketched ? 1 : 0) > 4) {
            throw new InvalidInputException(
                    "turboquant: k_bits=" + keyBits + ", v_bits=" + valueBits + ", outliers=" + outliers
                            + "; allowed are codes of up to 4 bits, the one more of outliers and without the sketch");
        }
        boolean dense = settings.text("rotation").equals("dense");
        boolean gaussian = settings.text("projection").equals("gaussian");
        long seed = settings.number("seed");
        TurboPart rest = TurboPart.of(
                headDim - outliers, new TurboPart.Choice(keyBits, valueBits, sketched, dense, gaussian, seed));
        parts = outliers == 0
                ? List.of(rest)
                : List.of(
                        TurboPart.of(
                                outliers,
                                new TurboPart.Choice(keyBits + 1, valueBits + 1, sketched, dense, gaussian, seed + 2)),
                        rest);
    }

    @Override
    public Head head(int layer, int kvHead, PagePool pool, Kernels kernels) {
        return new Head(new TurboKeys(pool, kernels, parts, headDim), new TurboValues(pool, kernels, parts, headDim));
    }

    /** Bytes of {@code heads} heads of {@code tokens} tokens. */
    Footprint estimate(int tokens, int heads) {
        long pages = (long) heads * Math.ceilDiv(tokens, TurboPart.PAGE_TOKENS);
        Footprint sum = Footprint.ZERO;
        for (TurboPart part : parts) {
            sum = sum.plus(pages(pages, part.keys())).plus(pages(pages, part.values()));
            if (part.sketch().isPresent()) {
                sum = sum.plus(pages(pages, part.sketch().get().signs()));
            }
        }
        return sum;
    }

    private static Footprint pages(long pages, PackedLayout layout) {
        return new Footprint(pages * layout.codeBytes(), pages * layout.scaleBytes(), 0, 0, 0);
    }
}
