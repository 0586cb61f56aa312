package dev.kvasir.train.net;

import static org.bytedeco.pytorch.global.torch.cat;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** RoPE in the half-split order of Hugging Face's Llama; the table grows to the longest row seen. */
final class RotaryTable {
    private final int headDim;
    private final double[] frequencies;
    private final ScalarType compute;
    private Tensor cos = new Tensor();
    private Tensor sin = new Tensor();
    private long length;

    /** A table of these frequencies, in radians per position, {@code [headDim / 2]}. */
    RotaryTable(double[] frequencies, ScalarType compute) {
        this.headDim = 2 * frequencies.length;
        this.frequencies = frequencies.clone();
        this.compute = compute;
    }

    /** Unstretched frequencies. */
    static double[] frequencies(int headDim, float theta) {
        double[] frequencies = new double[headDim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = Math.pow(theta, -2.0 * i / headDim);
        }
        return frequencies;
    }

    /** Rotates {@code [rows][heads][length][headDim]} by positions 0 to {@code length - 1}. */
    Tensor apply(Tensor x, long rowLength) {
        if (rowLength > length) {
            build((int) rowLength);
        }
        TensorVector halves = x.chunk(2, -1);
        Tensor turned = cat(new TensorVector(halves.get(1).neg(), halves.get(0)), -1);
        return x.mul(cos.narrow(0, 0, rowLength)).add(turned.mul(sin.narrow(0, 0, rowLength)));
    }

    private void build(int rows) {
        float[] c = new float[rows * headDim];
        float[] s = new float[rows * headDim];
        int half = headDim / 2;
        for (int i = 0; i < half; i++) {
            double frequency = frequencies[i];
            for (int p = 0; p < rows; p++) {
                float cosine = (float) Math.cos(p * frequency);
                float sine = (float) Math.sin(p * frequency);
                c[p * headDim + i] = cosine;
                c[p * headDim + half + i] = cosine;
                s[p * headDim + i] = sine;
                s[p * headDim + half + i] = sine;
            }
        }
        // Kept across steps: detached from whatever pointer scope the caller is in.
        cos = keep(c, rows);
        sin = keep(s, rows);
        length = rows;
    }

    private Tensor keep(float[] values, int rows) {
        Tensor t = Tensors.of(values, rows, headDim).to(compute);
        t.retainReference();
        return t;
    }
}
