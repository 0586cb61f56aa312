package dev.kvasir.cache.method.bfp;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The order of channels for {@code sort=post-rope}: by root mean square of keys after RoPE, largest first, ties to the lower
 * channel, for each layer and KV head. After RoPE channels may be ordered one by one: no rotation follows that would want its
 * pairs.
 */
final class BfpCalibrator implements Calibrator {
    private final CacheShape shape;
    private final String fingerprint;
    /** Of each layer, {@code [kvHeads][headDim]}. */
    private final double[][] squares;

    BfpCalibrator(CacheShape shape, String fingerprint) {
        this.shape = shape;
        this.fingerprint = fingerprint;
        this.squares = new double[shape.layers()][shape.kvHeads() * shape.headDim()];
    }

    /** The tensor with a layer's orders, {@code [kvHeads][headDim]}. */
    static String name(int layer) {
        return "layer." + layer + ".order";
    }

    @Override
    public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
        float[] keys = states.keys();
        double[] sums = squares[layer];
        for (int t = 0; t < states.count(); t++) {
            for (int i = 0; i < sums.length; i++) {
                double key = keys[t * sums.length + i];
                sums[i] += key * key;
            }
        }
    }

    @Override
    public Calibration finish() {
        int headDim = shape.headDim();
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            float[] orders = new float[shape.kvHeads() * headDim];
            for (int h = 0; h < shape.kvHeads(); h++) {
                double[] sizes = Arrays.copyOfRange(squares[layer], h * headDim, (h + 1) * headDim);
                int[] order = IntStream.range(0, headDim)
                        .boxed()
                        .sorted(Comparator.comparingDouble(c -> -sizes[c]))
                        .mapToInt(c -> c)
                        .toArray();
                for (int c = 0; c < headDim; c++) {
                    orders[h * headDim + c] = order[c];
                }
            }
            tensors.put(name(layer), Calibration.Tensor.of(orders, shape.kvHeads(), headDim));
        }
        return new Calibration("bfp", Map.of("sort", "post-rope"), fingerprint, tensors);
    }
}
