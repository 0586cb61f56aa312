package dev.kvasir.cache.method.rotatekv;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibration.CalibrationException;
import dev.kvasir.cache.Calibration.Tensor;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The order of a model's rotated channels, learnt beforehand: stored channel {@code j} of layer {@code l} is rotated channel
 * {@code order[l][j]} of {@code kvHeads * headDim}.
 *
 * <pre>
 *   signed   ascending by the sum of values over all tokens   (the paper's)
 *   abs      ascending by the sum of magnitudes               (its ablation)
 * </pre>
 *
 * <p>A calibration holds both, as {@code order.signed} and {@code order.abs [layers][channels]}, and says for which rotation
 * they are.
 */
final class ChannelOrder {
    private static final String HEADS = "headsPerRotation";
    private static final String POSITION = "rotatePosition";

    private ChannelOrder() {}

    /** The channels of all layers as they are. */
    static int[][] none(CacheShape shape) {
        int[][] orders = new int[shape.layers()][];
        Arrays.fill(
                orders, IntStream.range(0, shape.kvHeads() * shape.headDim()).toArray());
        return orders;
    }

    /** Channels in ascending order of {@code sums}; equal ones stay as they are. */
    static int[] ascending(double[] sums) {
        return IntStream.range(0, sums.length)
                .boxed()
                .sorted(Comparator.comparingDouble(channel -> sums[channel]))
                .mapToInt(Integer::intValue)
                .toArray();
    }

    /** What a calibration for {@code plan} says of itself. */
    static Map<String, String> options(RotateKvPlan plan) {
        Map<String, String> options = new LinkedHashMap<>();
        options.put(HEADS, Integer.toString(plan.headsPerRotation()));
        options.put(POSITION, plan.beforeRope() ? "pre" : "post");
        return options;
    }

    /** The name of the tensor that {@code reorder} is in. */
    static String tensor(String reorder) {
        return "order." + reorder;
    }

    /** The orders of all layers in one tensor. */
    static Tensor tensor(int[][] orders) {
        int channels = orders[0].length;
        float[] data = new float[orders.length * channels];
        for (int i = 0; i < data.length; i++) {
            data[i] = orders[i / channels][i % channels];
        }
        return Tensor.of(data, orders.length, channels);
    }

    /**
     * The orders of all layers.
     *
     * @throws CalibrationException if they are missing, for another rotation, or no permutations
     */
    static int[][] of(Calibration calibration, RotateKvPlan plan) {
        options(plan).forEach((option, expected) -> {
            String found = calibration.options().getOrDefault(option, "nothing");
            if (!found.equals(expected)) {
                throw new CalibrationException(
                        RotateKvPlan.NAME,
                        option + " is " + found + ", expected " + expected
                                + ": calibrate with the options of the cache");
            }
        });
        CacheShape shape = plan.shape();
        int channels = shape.kvHeads() * shape.headDim();
        float[] data = calibration.data(tensor(plan.reorder()), shape.layers(), channels);
        int[][] orders = new int[shape.layers()][];
        for (int layer = 0; layer < orders.length; layer++) {
            orders[layer] = order(data, layer, channels, tensor(plan.reorder()));
        }
        return orders;
    }

    private static int[] order(float[] data, int layer, int channels, String tensor) {
        int[] order = new int[channels];
        boolean[] seen = new boolean[channels];
        for (int j = 0; j < channels; j++) {
            float found = data[layer * channels + j];
            int channel = (int) found;
            if (channel != found || channel < 0 || channel >= channels || seen[channel]) {
                throw new CalibrationException(
                        RotateKvPlan.NAME,
                        "tensor " + tensor + ", layer " + layer + ", place " + j + ": found " + found
                                + ", expected each of 0 to " + (channels - 1) + " once");
            }
            seen[channel] = true;
            order[j] = channel;
        }
        return order;
    }
}
