package dev.kvasir.cache.method.scissorhands;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.kernel.Kernels;
import java.util.LinkedHashMap;
import java.util.Map;

/** Measures the {@link Persistence} of each layer: the mean over texts and query heads. */
final class PersistenceCalibrator implements Calibrator {
    private final CacheShape shape;
    private final String fingerprint;
    private final Kernels kernels = Kernels.best();
    private final double[] persistence;
    private final double[] size;
    private final int[] heads;

    PersistenceCalibrator(CacheShape shape, String fingerprint) {
        this.shape = shape;
        this.fingerprint = fingerprint;
        this.persistence = new double[shape.layers()];
        this.size = new double[shape.layers()];
        this.heads = new int[shape.layers()];
    }

    /** The tensor with a layer's persistence and size. */
    static String name(int layer) {
        return "layer." + layer + ".persistence";
    }

    @Override
    public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
        if (states.count() < 2) {
            return;
        }
        int d = shape.headDim();
        float scale = (float) (1 / Math.sqrt(d));
        float[] keys = states.keys();
        float[] rows = queries.queries();
        for (int head = 0; head < shape.heads(); head++) {
            int kvHead = head / shape.queriesPerKvHead();
            int query = head * d;
            Persistence found = Persistence.of(states.count(), (t, out) -> {
                for (int i = 0; i <= t; i++) {
                    int key = (i * shape.kvHeads() + kvHead) * d;
                    out[i] = scale * kernels.dot(rows, t * shape.heads() * d + query, keys, key, d);
                }
            });
            persistence[layer] += found.persistence();
            size[layer] += found.size();
            heads[layer]++;
        }
    }

    @Override
    public Calibration finish() {
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            int count = Math.max(1, heads[layer]);
            float[] found = {(float) (persistence[layer] / count), (float) (size[layer] / count)};
            tensors.put(name(layer), Calibration.Tensor.of(found, 2));
        }
        return new Calibration("scissorhands", Map.of(), fingerprint, tensors);
    }
}
