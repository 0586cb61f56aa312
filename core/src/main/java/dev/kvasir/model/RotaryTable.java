package dev.kvasir.model;

import dev.kvasir.model.ModelConfig.RopeScaling;
import dev.kvasir.tensor.Activations;
import java.util.Arrays;

/**
 * Cosines and sines of the rotary embedding (Su et al. 2021), by position and channel pair, grown as positions are
 * reached. Angles are computed in double: in float, position 100,000 would be off by 0.01 radians.
 */
final class RotaryTable {
    /** Positions added at a time. */
    private static final int BLOCK = 256;

    private final double[] frequencies;
    private float[][] cosines = {};
    private float[][] sines = {};

    RotaryTable(ModelConfig config) {
        frequencies = frequencies(config);
    }

    /** Radians per position of each channel pair, {@code [headDim / 2]}, stretched as the configuration says. */
    static double[] frequencies(ModelConfig config) {
        int half = config.headDim() / 2;
        double[] frequencies = new double[half];
        for (int i = 0; i < half; i++) {
            double frequency = Math.pow(config.ropeTheta(), -(double) i / half);
            frequencies[i] = config.ropeScaling()
                    .map(scaling -> scale(frequency, scaling))
                    .orElse(frequency);
        }
        return frequencies;
    }

    /**
     * One frequency, stretched: {@code linear} divides all; {@code llama3} (Llama 3.1) divides those whose wavelength the
     * original context could not hold, keeps the high ones, and blends between.
     */
    private static double scale(double frequency, RopeScaling scaling) {
        double stretched = frequency / scaling.factor();
        if (scaling.type().equals("linear")) {
            return stretched;
        }
        double turns = scaling.originalContextLength() * frequency / (2 * Math.PI);
        double low = scaling.lowFrequencyFactor();
        double high = scaling.highFrequencyFactor();
        double kept = Math.clamp((turns - low) / (high - low), 0, 1);
        return (1 - kept) * stretched + kept * frequency;
    }

    /** Makes the table reach position {@code last}. */
    void reach(int last) {
        int blocks = last / BLOCK + 1;
        int had = cosines.length;
        if (blocks <= had) {
            return;
        }
        cosines = Arrays.copyOf(cosines, blocks);
        sines = Arrays.copyOf(sines, blocks);
        int half = frequencies.length;
        for (int b = had; b < blocks; b++) {
            float[] cosine = new float[BLOCK * half];
            float[] sine = new float[BLOCK * half];
            for (int i = 0; i < cosine.length; i++) {
                double angle = ((long) b * BLOCK + i / half) * frequencies[i % half];
                cosine[i] = (float) Math.cos(angle);
                sine[i] = (float) Math.sin(angle);
            }
            cosines[b] = cosine;
            sines[b] = sine;
        }
    }

    /** Rotates the {@code heads} heads of one token at {@code position}, from {@code x} into {@code out}. */
    void rotate(int position, int heads, float[] x, int x0, float[] out, int out0) {
        int half = frequencies.length;
        float[] cosine = cosines[position / BLOCK];
        float[] sine = sines[position / BLOCK];
        int angles = position % BLOCK * half;
        for (int h = 0; h < heads; h++) {
            int at = 2 * half * h;
            Activations.rotate(x, x0 + at, half, cosine, sine, angles, out, out0 + at);
        }
    }
}
