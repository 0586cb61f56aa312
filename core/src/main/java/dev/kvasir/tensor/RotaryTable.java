package dev.kvasir.tensor;

import java.util.Arrays;

/**
 * Cosines and sines of the rotary embedding (Su et al. 2021), by position and channel pair, grown as positions are
 * reached. Angles are computed in double: in float, position 100,000 would be off by 0.01 radians.
 *
 * <p>Pair {@code i} of a head is channels {@code i} and {@code i + headDim / 2}. Safe for use by several threads; positions
 * must be {@linkplain #reach reached} before they are used.
 */
public final class RotaryTable {
    /** Positions added at a time. */
    private static final int BLOCK = 256;

    private final double[] frequencies;
    /** Cosines, then sines, of each block of positions; replaced as a whole when it grows. */
    private volatile float[][][] blocks = {};

    /** A table for heads of {@code 2 * frequencies.length} channels, frequencies in radians per position. */
    public RotaryTable(double[] frequencies) {
        this.frequencies = frequencies.clone();
    }

    /** A table of unstretched frequencies, {@code theta^(-2i / headDim)}. */
    public static RotaryTable of(int headDim, double theta) {
        int half = headDim / 2;
        double[] frequencies = new double[half];
        for (int i = 0; i < half; i++) {
            frequencies[i] = Math.pow(theta, -(double) i / half);
        }
        return new RotaryTable(frequencies);
    }

    /** Channels of a head. */
    public int headDim() {
        return 2 * frequencies.length;
    }

    /** Makes the table reach position {@code last}. */
    public void reach(int last) {
        if (last / BLOCK >= blocks.length) {
            grow(last / BLOCK + 1);
        }
    }

    private synchronized void grow(int wanted) {
        int had = blocks.length;
        if (wanted <= had) {
            return;
        }
        float[][][] grown = Arrays.copyOf(blocks, wanted);
        int half = frequencies.length;
        for (int b = had; b < wanted; b++) {
            float[] cosine = new float[BLOCK * half];
            float[] sine = new float[BLOCK * half];
            for (int i = 0; i < cosine.length; i++) {
                double angle = ((long) b * BLOCK + i / half) * frequencies[i % half];
                cosine[i] = (float) Math.cos(angle);
                sine[i] = (float) Math.sin(angle);
            }
            grown[b] = new float[][] {cosine, sine};
        }
        blocks = grown;
    }

    /** The array with the cosines of a position, {@code [headDim / 2]} from {@link #offset} on. */
    public float[] cosines(int position) {
        return blocks[position / BLOCK][0];
    }

    /** The array with the sines of a position, {@code [headDim / 2]} from {@link #offset} on. */
    public float[] sines(int position) {
        return blocks[position / BLOCK][1];
    }

    /** Where a position's numbers begin in {@link #cosines} and {@link #sines}. */
    public int offset(int position) {
        return position % BLOCK * frequencies.length;
    }

    /** Rotates the {@code heads} heads of one token at {@code position}, from {@code x} into {@code out}, perhaps the same array. */
    public void rotate(int position, int heads, float[] x, int x0, float[] out, int out0) {
        int half = frequencies.length;
        float[] cosine = cosines(position);
        float[] sine = sines(position);
        int angles = offset(position);
        for (int h = 0; h < heads; h++) {
            int at = 2 * half * h;
            Activations.rotate(x, x0 + at, half, cosine, sine, angles, out, out0 + at);
        }
    }

    /** As {@link #rotate(int, int, float[], int, float[], int)} where the pairs lie in another order. */
    public void rotate(int position, int heads, RotaryOrder order, float[] x, int x0, float[] out, int out0) {
        int half = frequencies.length;
        int block = order.block();
        int group = heads / order.kvHeads();
        float[] cosine = new float[half];
        float[] sine = new float[half];
        for (int h = 0; h < heads; h++) {
            if (h % group == 0) {
                order.gather(h / group, cosines(position), offset(position), cosine);
                order.gather(h / group, sines(position), offset(position), sine);
            }
            for (int from = 0; from < 2 * half; from += block) {
                int at = 2 * half * h + from;
                Activations.rotate(x, x0 + at, block / 2, cosine, sine, from / 2, out, out0 + at);
            }
        }
    }
}
