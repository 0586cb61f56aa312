package dev.kvasir.tensor;

import dev.kvasir.model.TestModels;

/** The oracle of every kernel: plain loops in double. */
final class ScalarKernels {
    private ScalarKernels() {}

    /** {@code [tokens][rows]}. */
    static double[] linear(Matrix w, float[] x, int tokens) {
        double[] out = new double[tokens * w.rows()];
        for (int r = 0; r < w.rows(); r++) {
            float[] row = TestModels.row(w, r);
            for (int t = 0; t < tokens; t++) {
                for (int c = 0; c < w.columns(); c++) {
                    out[t * w.rows() + r] += (double) row[c] * x[t * w.columns() + c];
                }
            }
        }
        return out;
    }

    static double[] rmsNorm(float[] x, int x0, float[] weight, float epsilon) {
        double squares = 0;
        for (int i = 0; i < weight.length; i++) {
            squares += (double) x[x0 + i] * x[x0 + i];
        }
        double[] out = new double[weight.length];
        for (int i = 0; i < weight.length; i++) {
            out[i] = x[x0 + i] / Math.sqrt(squares / weight.length + epsilon) * weight[i];
        }
        return out;
    }

    static double swiGlu(float gate, float up) {
        return gate / (1 + Math.exp(-gate)) * up;
    }
}
