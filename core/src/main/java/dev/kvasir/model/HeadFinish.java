package dev.kvasir.model;

import dev.kvasir.tensor.Activations;
import java.util.Arrays;

/**
 * What happens to a layer's queries or keys between their projection and their rotation: bias, RMSNorm of every head, channels
 * brought in the decoder's order, a factor for each channel. Empty arrays stand for what the layer lacks.
 */
final class HeadFinish {
    private final int headDim;
    private final float[] bias;
    private final float[] norm;
    private final float epsilon;
    /** Row of the weights that makes each channel. */
    private final int[] channels;

    private final float[] scales;

    /** Takes vectors in the order of the weights' rows, but {@code scales} in the decoder's. */
    HeadFinish(int headDim, float[] bias, float[] norm, float epsilon, int[] channels, float[] scales) {
        this.headDim = headDim;
        this.bias = bias;
        this.norm = norm;
        this.epsilon = epsilon;
        this.channels = channels;
        this.scales = scales;
    }

    /** Whether {@link #apply} does anything. */
    boolean isNeeded() {
        return bias.length + norm.length + channels.length + scales.length > 0;
    }

    /** Finishes the {@code heads} heads of one token in place. */
    void apply(float[] rows, int from, int heads) {
        addBias(bias, rows, from);
        for (int at = from; at < from + heads * headDim; at += headDim) {
            if (norm.length > 0) {
                Activations.rmsNorm(rows, at, norm, epsilon, rows, at);
            }
            if (channels.length > 0) {
                order(rows, at);
            }
            for (int c = 0; c < scales.length; c++) {
                rows[at + c] *= scales[c];
            }
        }
    }

    private void order(float[] rows, int at) {
        float[] head = Arrays.copyOfRange(rows, at, at + headDim);
        for (int c = 0; c < headDim; c++) {
            rows[at + c] = head[channels[c]];
        }
    }

    /** Adds a bias, which may be empty. */
    static void addBias(float[] bias, float[] rows, int from) {
        for (int c = 0; c < bias.length; c++) {
            rows[from + c] += bias[c];
        }
    }
}
