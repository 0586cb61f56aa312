package dev.kvasir.cache.method.rotatekv;

import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.transform.GroupedHadamard;
import java.util.LinkedHashMap;
import java.util.Map;

/** Sums the rotated channels of each layer's keys over a text and orders them: one pass, no gradients. */
final class RotateKvCalibrator implements Calibrator {
    private static final int CHUNK = 64;

    private final RotateKvPlan plan;
    private final String fingerprint;
    private final GroupedHadamard rotation;
    private final int channels;
    private final double[][] sums;
    private final double[][] magnitudes;
    private final float[] rows;

    /** Nothing seen yet of the model with that fingerprint. */
    RotateKvCalibrator(RotateKvPlan plan, String fingerprint) {
        this.plan = plan;
        this.fingerprint = fingerprint;
        rotation = plan.rotation();
        channels = plan.shape().kvHeads() * plan.shape().headDim();
        sums = new double[plan.shape().layers()][channels];
        magnitudes = new double[plan.shape().layers()][channels];
        rows = new float[CHUNK * channels];
    }

    @Override
    public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
        float[] keys = plan.beforeRope() ? states.keysBeforeRope() : states.keys();
        for (int t = 0; t < states.count(); t += CHUNK) {
            int run = Math.min(CHUNK, states.count() - t);
            System.arraycopy(keys, t * channels, rows, 0, run * channels);
            rotation.apply(rows, 0, run * (channels / rotation.width()));
            for (int i = 0; i < run * channels; i++) {
                sums[layer][i % channels] += rows[i];
                magnitudes[layer][i % channels] += Math.abs(rows[i]);
            }
        }
    }

    @Override
    public Calibration finish() {
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>();
        tensors.put(ChannelOrder.tensor("signed"), tensor(sums));
        tensors.put(ChannelOrder.tensor("abs"), tensor(magnitudes));
        return new Calibration(RotateKvPlan.NAME, ChannelOrder.options(plan), fingerprint, tensors);
    }

    private static Calibration.Tensor tensor(double[][] layers) {
        int[][] orders = new int[layers.length][];
        for (int layer = 0; layer < layers.length; layer++) {
            orders[layer] = ChannelOrder.ascending(layers[layer]);
        }
        return ChannelOrder.tensor(orders);
    }
}
