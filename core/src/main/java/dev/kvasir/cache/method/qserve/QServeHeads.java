package dev.kvasir.cache.method.qserve;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
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
import dev.kvasir.cache.transform.ChannelScale;
import dev.kvasir.cache.transform.Transform;
import java.util.Arrays;
import java.util.Optional;

/** The stores of QServe's heads: pages of 64 tokens with codes, scales and zeros; keys divided by their smoothing factors. */
final class QServeHeads implements HeadFactory {
    private final PackedLayout keys;
    private final PackedLayout values;
    /** Of each layer and KV head; empty where keys are not smoothed. */
    private final Transform[][] smoothing;

    QServeHeads(CacheSettings settings, CacheShape shape, Optional<Calibration> calibration) {
        int headDim = shape.headDim();
        int page = settings.number("page");
        if (headDim % 16 != 0) {
            throw new InvalidInputException("qserve: the head's " + headDim
                    + " channels are not a multiple of 16, which its pages are made of");
        }
        keys = new PackedLayout(page, headDim, settings.number("k_bits"), headDim, Axis.PER_LANE, Quantizer.QSERVE);
        values = new PackedLayout(headDim, page, settings.number("v_bits"), headDim, Axis.PER_DEPTH, Quantizer.QSERVE);
        smoothing = calibration.map(found -> smoothing(found, shape)).orElse(new Transform[0][]);
    }

    private static Transform[][] smoothing(Calibration calibration, CacheShape shape) {
        int headDim = shape.headDim();
        Transform[][] all = new Transform[shape.layers()][shape.kvHeads()];
        for (int layer = 0; layer < all.length; layer++) {
            float[] factors = calibration.data(QServeCalibrator.name(layer), shape.kvHeads(), headDim);
            for (int h = 0; h < shape.kvHeads(); h++) {
                float[] inverse = Arrays.copyOfRange(factors, h * headDim, (h + 1) * headDim);
                for (int c = 0; c < headDim; c++) {
                    if (!(inverse[c] > 1e-6f && inverse[c] < 1e6f)) {
                        throw new Calibration.CalibrationException(
                                "qserve",
                                QServeCalibrator.name(layer) + " holds " + inverse[c] + ", allowed is 1e-6 to 1e6");
                    }
                    inverse[c] = 1 / inverse[c];
                }
                all[layer][h] = new ChannelScale(inverse);
            }
        }
        return all;
    }

    @Override
    public Head head(int layer, int kvHead, PagePool pool, Kernels kernels) {
        return new Head(new PackedKeys(pool, kernels, keys), new PackedValues(pool, kernels, values));
    }

    @Override
    public Transform keyTransform(int layer, int kvHead) {
        return smoothing.length == 0 ? Transform.NONE : smoothing[layer][kvHead];
    }

    /** Bytes of {@code heads} heads of {@code tokens} tokens. */
    Footprint estimate(int tokens, int heads) {
        long pages = (long) heads * Math.ceilDiv(tokens, keys.lanes());
        return new Footprint(
                pages * (keys.codeBytes() + values.codeBytes()),
                pages * (keys.scaleBytes() + values.scaleBytes()),
                0,
                0,
                0);
    }
}
