package dev.kvasir.cache.method.qserve;

import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * SmoothAttention's factors (QServe, section 4.2): {@code lambda = max|K|^alpha / max|Q|^beta} for each channel of a KV head,
 * maxima over all tokens after RoPE, over the query heads of the group, and over the two channels of a rotary pair, so that
 * the factors could as well be folded into the projections.
 */
final class QServeCalibrator implements Calibrator {
    private final CacheShape shape;
    private final String fingerprint;
    private final double alpha;
    private final double beta;
    /** Of each layer, {@code [kvHeads][headDim]}. */
    private final float[][] keyMaxima;

    private final float[][] queryMaxima;

    QServeCalibrator(CacheSettings settings, CacheShape shape, String fingerprint) {
        this.shape = shape;
        this.fingerprint = fingerprint;
        this.alpha = settings.decimal("alpha");
        this.beta = settings.decimal("beta");
        this.keyMaxima = new float[shape.layers()][shape.kvHeads() * shape.headDim()];
        this.queryMaxima = new float[shape.layers()][shape.kvHeads() * shape.headDim()];
    }

    /** The tensor with a layer's factors, {@code [kvHeads][headDim]}. */
    static String name(int layer) {
        return "layer." + layer + ".lambda";
    }

    @Override
    public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
        raise(keyMaxima[layer], states.keys(), states.count(), 1);
        if (beta > 0) {
            raise(queryMaxima[layer], queries.queries(), queries.count(), shape.queriesPerKvHead());
        }
    }

    /** Raises the maxima by rows of {@code group} heads for each KV head. */
    private void raise(float[] maxima, float[] rows, int count, int group) {
        int headDim = shape.headDim();
        int half = headDim / 2;
        int width = shape.kvHeads() * group * headDim;
        for (int i = 0; i < count * width; i++) {
            int head = i % width / headDim / group;
            int channel = i % headDim;
            int partner = channel < half ? channel + half : channel - half;
            float size = Math.abs(rows[i]);
            if (size > maxima[head * headDim + channel]) {
                maxima[head * headDim + channel] = size;
                maxima[head * headDim + partner] = Math.max(size, maxima[head * headDim + partner]);
            }
        }
    }

    @Override
    public Calibration finish() {
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            float[] factors = new float[shape.kvHeads() * shape.headDim()];
            for (int i = 0; i < factors.length; i++) {
                double key = Math.pow(keyMaxima[layer][i], alpha);
                double query = beta > 0 ? Math.pow(queryMaxima[layer][i], beta) : 1;
                factors[i] = key > 0 && query > 0 ? (float) Math.clamp(key / query, 1e-4, 1e4) : 1;
            }
            tensors.put(name(layer), Calibration.Tensor.of(factors, shape.kvHeads(), shape.headDim()));
        }
        Map<String, String> options = new LinkedHashMap<>();
        options.put("alpha", Double.toString(alpha));
        options.put("beta", Double.toString(beta));
        return new Calibration("qserve", options, fingerprint, tensors);
    }
}
