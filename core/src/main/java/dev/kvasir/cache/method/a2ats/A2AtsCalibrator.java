package dev.kvasir.cache.method.a2ats;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.codebook.VectorKMeans;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Scratch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Learns the code vectors of each KV head in one pass: the metric from all queries, turned to the far position; the vectors
 * by k-means from keys before RoPE, of which a sample is kept, the same tokens in all layers' heads.
 */
final class A2AtsCalibrator implements Calibrator {
    /** Keys kept for each code vector wanted; more change it little. */
    private static final int KEYS_PER_CODE = 64;

    private static final VectorKMeans.Limits LIMITS = new VectorKMeans.Limits(300, 1e-4);
    private static final long SEED = 20_250_212;

    private final A2AtsOptions options;
    private final CacheModel model;
    private final String fingerprint;
    private final CacheShape shape;
    private final int width;
    private final int capacity;
    private final double[][][][] moments;
    /** Keys kept of each layer, {@code [kept][kvHeads][headDim]}. */
    private final float[][] kept;

    private final Random[] drawing;
    private final int[] seen;

    /** Nothing seen yet of the model with that fingerprint. */
    A2AtsCalibrator(A2AtsOptions options, CacheModel model, String fingerprint) {
        this.options = options;
        this.model = model;
        this.fingerprint = fingerprint;
        shape = model.shape();
        width = shape.kvHeads() * shape.headDim();
        int codes =
                options.codes() > 0 ? options.codes() : A2AtsOptions.suitable(model.contextLength(), Integer.MAX_VALUE);
        capacity = Math.multiplyExact(codes, KEYS_PER_CODE);
        int n = shape.headDim();
        moments = new double[shape.layers()][shape.kvHeads()][n][n];
        kept = new float[shape.layers()][0];
        seen = new int[shape.layers()];
        drawing = new Random[shape.layers()];
        for (int layer = 0; layer < drawing.length; layer++) {
            drawing[layer] = new Random(SEED);
        }
        model.rotary().reach(options.far(model));
    }

    @Override
    public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
        float[] keys = states.keysBeforeRope();
        for (int t = 0; t < states.count(); t++) {
            keep(layer, keys, t * width);
        }
        float[] plain = queries.queriesBeforeRope();
        float[] turned = new float[shape.heads() * shape.headDim()];
        for (int t = 0; t < states.count(); t++) {
            model.rotary().rotate(options.far(model), shape.heads(), plain, t * turned.length, turned, 0);
            for (int head = 0; head < shape.heads(); head++) {
                add(moments[layer][head / shape.queriesPerKvHead()], turned, head * shape.headDim());
            }
        }
    }

    /** Keeps each token seen with the same chance (Vitter 1985, algorithm R). */
    private void keep(int layer, float[] keys, int offset) {
        int place = seen[layer] < capacity ? seen[layer] : drawing[layer].nextInt(seen[layer] + 1);
        seen[layer]++;
        if (place < capacity) {
            int end = (place + 1) * width;
            if (kept[layer].length < end) {
                kept[layer] = Scratch.grown(kept[layer], Math.min(capacity * width, end + end / 2));
            }
            System.arraycopy(keys, offset, kept[layer], place * width, width);
        }
    }

    /** Adds {@code q'q}, its lower triangle. */
    private static void add(double[][] sum, float[] q, int offset) {
        for (int i = 0; i < sum.length; i++) {
            double[] row = sum[i];
            double qi = q[offset + i];
            for (int j = 0; j <= i; j++) {
                row[j] += qi * q[offset + j];
            }
        }
    }

    @Override
    public Calibration finish() {
        int keys = Math.min(capacity, seen[0]);
        int codes = options.codes() > 0 ? options.codes() : A2AtsOptions.suitable(model.contextLength(), keys);
        if (keys < codes) {
            throw new InvalidInputException(A2AtsOptions.NAME + ": codes=" + codes + " cannot be learnt from " + keys
                    + " tokens; allowed are as many tokens and more, ten times as many are advised");
        }
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            learn(layer, keys, codes, tensors);
        }
        return new Calibration(A2AtsOptions.NAME, A2AtsTables.options(options, model), fingerprint, tensors);
    }

    private void learn(int layer, int keys, int codes, Map<String, Calibration.Tensor> tensors) {
        int n = shape.headDim();
        List<QueryMetric> metrics = new ArrayList<>();
        for (int h = 0; h < shape.kvHeads(); h++) {
            metrics.add(options.queryAware() ? QueryMetric.of(moments[layer][h]) : QueryMetric.plain(n));
        }
        float[] vectors = new float[shape.kvHeads() * codes * n];
        // Heads have nothing in common: on how many threads they are learnt changes nothing.
        IntStream.range(0, shape.kvHeads()).parallel().forEach(h -> {
            float[] points = new float[keys * n];
            for (int i = 0; i < keys; i++) {
                metrics.get(h).apply(kept[layer], i * width + h * n, points, i * n);
            }
            VectorKMeans fit = VectorKMeans.fit(points, keys, n, codes, LIMITS, SEED + h, Kernels.best());
            for (int c = 0; c < codes; c++) {
                System.arraycopy(fit.centres()[c], 0, vectors, (h * codes + c) * n, n);
            }
        });
        A2AtsTables.put(tensors, layer, vectors, codes, metrics);
    }
}
