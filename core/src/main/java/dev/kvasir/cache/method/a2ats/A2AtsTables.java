package dev.kvasir.cache.method.a2ats;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibration.CalibrationException;
import dev.kvasir.cache.Calibration.Tensor;
import dev.kvasir.cache.kernel.Kernels;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The code vectors of a model, as a calibration holds them: for layer {@code l}
 *
 * <pre>
 *   codes.l   [kvHeads][codes][headDim]              code vectors in the metric's space
 *   metric.l  [kvHeads][headDim (headDim + 1) / 2]   L, row by row up to the diagonal
 * </pre>
 */
final class A2AtsTables {
    private static final String METRIC = "metric";
    private static final String FAR = "b";

    private final List<List<KeyCodebook>> layers;

    private A2AtsTables(List<List<KeyCodebook>> layers) {
        this.layers = layers;
    }

    /** The codebooks of a layer's KV heads. */
    List<KeyCodebook> layer(int layer) {
        return layers.get(layer);
    }

    /** What a calibration says of itself. */
    static Map<String, String> options(A2AtsOptions options, CacheModel model) {
        Map<String, String> said = new LinkedHashMap<>();
        said.put(METRIC, options.queryAware() ? "query" : "plain");
        said.put(FAR, Integer.toString(options.far(model)));
        return said;
    }

    static void put(Map<String, Tensor> tensors, int layer, float[] codes, int count, List<QueryMetric> metrics) {
        int n = metrics.getFirst().dimensions();
        int packed = n * (n + 1) / 2;
        float[] lower = new float[metrics.size() * packed];
        for (int h = 0; h < metrics.size(); h++) {
            for (int i = 0; i < n; i++) {
                for (int j = 0; j <= i; j++) {
                    lower[h * packed + i * (i + 1) / 2 + j] =
                            (float) metrics.get(h).lower()[i][j];
                }
            }
        }
        tensors.put("codes." + layer, Tensor.of(codes, metrics.size(), count, n));
        tensors.put("metric." + layer, Tensor.of(lower, metrics.size(), packed));
    }

    /**
     * The code vectors of a calibration.
     *
     * @throws CalibrationException if they are missing, made with other options, or no code vectors
     */
    static A2AtsTables of(Calibration calibration, A2AtsOptions options, CacheModel model, Kernels kernels) {
        options(options, model).forEach((option, expected) -> {
            String found = calibration.options().getOrDefault(option, "nothing");
            if (!found.equals(expected)) {
                throw new CalibrationException(
                        A2AtsOptions.NAME,
                        option + " is " + found + ", expected " + expected
                                + ": calibrate with the options of the cache");
            }
        });
        List<List<KeyCodebook>> layers = new ArrayList<>();
        for (int layer = 0; layer < model.shape().layers(); layer++) {
            layers.add(layer(calibration, options, model.shape(), layer, kernels));
        }
        return new A2AtsTables(layers);
    }

    private static List<KeyCodebook> layer(
            Calibration calibration, A2AtsOptions options, CacheShape shape, int layer, Kernels kernels) {
        int n = shape.headDim();
        int packed = n * (n + 1) / 2;
        int codes = count(calibration, options, "codes." + layer);
        float[] vectors = calibration.data("codes." + layer, shape.kvHeads(), codes, n);
        float[] lower = calibration.data("metric." + layer, shape.kvHeads(), packed);
        List<KeyCodebook> heads = new ArrayList<>();
        for (int h = 0; h < shape.kvHeads(); h++) {
            double[][] rows = new double[n][n];
            for (int i = 0; i < n; i++) {
                for (int j = 0; j <= i; j++) {
                    rows[i][j] = lower[h * packed + i * (i + 1) / 2 + j];
                }
                if (!(rows[i][i] > 0)) {
                    throw new CalibrationException(
                            A2AtsOptions.NAME,
                            "tensor metric." + layer + ", head " + h + ", row " + i + ": found " + rows[i][i]
                                    + " on the diagonal, expected more than 0");
                }
            }
            heads.add(new KeyCodebook(kernels, new QueryMetric(rows), vectors, h * codes * n, codes));
        }
        return heads;
    }

    private static int count(Calibration calibration, A2AtsOptions options, String tensor) {
        Tensor codes = calibration.tensors().get(tensor);
        int found = codes != null && codes.shape().size() == 3 ? codes.shape().get(1) : 0;
        boolean good = options.codes() == 0 ? found >= 1 && found <= A2AtsOptions.MOST_CODES : found == options.codes();
        if (!good) {
            throw new CalibrationException(
                    A2AtsOptions.NAME,
                    "tensor " + tensor + " has " + found + " code vectors of a head, expected "
                            + (options.codes() == 0 ? "1 to " + A2AtsOptions.MOST_CODES : options.codes()));
        }
        return found;
    }
}
