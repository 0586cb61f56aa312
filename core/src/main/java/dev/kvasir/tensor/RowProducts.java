package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * Products of rows with a small matrix that is laid out input by input: {@code out[t][o] += sum over i of x[t][i] * w[i][o]}.
 *
 * <p>Each number of the output is one chain of fused multiply-adds in the order of {@code i}, whatever the number of rows:
 * a row's result does not depend on the rows beside it. {@link Linear} is faster for the large matrices of a decoder, and
 * sums in another order for one row than for many.
 */
public final class RowProducts {
    private RowProducts() {}

    /**
     * Adds the products of {@code rows} rows.
     *
     * @param x number {@code i} of row {@code t} is at {@code x0 + t * rowStride + i * inputStride}
     * @param w {@code [inputs][outputs]} from {@code w0} on
     * @param out row {@code t} is at {@code out0 + t * outputs}
     */
    public static void add(
            float[] x,
            int x0,
            int rowStride,
            int inputStride,
            int rows,
            float[] w,
            int w0,
            int inputs,
            int outputs,
            float[] out,
            int out0) {
        int t = 0;
        for (; t <= rows - 4; t += 4) {
            int at = x0 + t * rowStride;
            int to = out0 + t * outputs;
            int o = 0;
            for (; o <= outputs - 2 * LANES; o += 2 * LANES) {
                add4x2(x, at, rowStride, inputStride, w, w0 + o, inputs, outputs, out, to + o);
            }
            for (int r = 0; r < 4; r++) {
                addRow(x, at + r * rowStride, inputStride, w, w0, inputs, outputs, out, to + r * outputs, o);
            }
        }
        for (; t < rows; t++) {
            addRow(x, x0 + t * rowStride, inputStride, w, w0, inputs, outputs, out, out0 + t * outputs, 0);
        }
    }

    /** Four rows, two vectors of outputs. */
    private static void add4x2(
            float[] x,
            int x0,
            int rowStride,
            int inputStride,
            float[] w,
            int w0,
            int inputs,
            int outputs,
            float[] out,
            int o0) {
        int o1 = o0 + outputs;
        int o2 = o1 + outputs;
        int o3 = o2 + outputs;
        FloatVector a0 = FloatVector.fromArray(F, out, o0);
        FloatVector b0 = FloatVector.fromArray(F, out, o0 + LANES);
        FloatVector a1 = FloatVector.fromArray(F, out, o1);
        FloatVector b1 = FloatVector.fromArray(F, out, o1 + LANES);
        FloatVector a2 = FloatVector.fromArray(F, out, o2);
        FloatVector b2 = FloatVector.fromArray(F, out, o2 + LANES);
        FloatVector a3 = FloatVector.fromArray(F, out, o3);
        FloatVector b3 = FloatVector.fromArray(F, out, o3 + LANES);
        for (int i = 0; i < inputs; i++) {
            FloatVector u = FloatVector.fromArray(F, w, w0 + i * outputs);
            FloatVector v = FloatVector.fromArray(F, w, w0 + i * outputs + LANES);
            int at = x0 + i * inputStride;
            FloatVector p = FloatVector.broadcast(F, x[at]);
            a0 = u.fma(p, a0);
            b0 = v.fma(p, b0);
            p = FloatVector.broadcast(F, x[at + rowStride]);
            a1 = u.fma(p, a1);
            b1 = v.fma(p, b1);
            p = FloatVector.broadcast(F, x[at + 2 * rowStride]);
            a2 = u.fma(p, a2);
            b2 = v.fma(p, b2);
            p = FloatVector.broadcast(F, x[at + 3 * rowStride]);
            a3 = u.fma(p, a3);
            b3 = v.fma(p, b3);
        }
        a0.intoArray(out, o0);
        b0.intoArray(out, o0 + LANES);
        a1.intoArray(out, o1);
        b1.intoArray(out, o1 + LANES);
        a2.intoArray(out, o2);
        b2.intoArray(out, o2 + LANES);
        a3.intoArray(out, o3);
        b3.intoArray(out, o3 + LANES);
    }

    /** One row, outputs from {@code first} on. */
    private static void addRow(
            float[] x,
            int x0,
            int inputStride,
            float[] w,
            int w0,
            int inputs,
            int outputs,
            float[] out,
            int out0,
            int first) {
        int o = first;
        for (; o <= outputs - LANES; o += LANES) {
            FloatVector a = FloatVector.fromArray(F, out, out0 + o);
            for (int i = 0; i < inputs; i++) {
                FloatVector u = FloatVector.fromArray(F, w, w0 + i * outputs + o);
                a = u.fma(FloatVector.broadcast(F, x[x0 + i * inputStride]), a);
            }
            a.intoArray(out, out0 + o);
        }
        for (; o < outputs; o++) {
            float a = out[out0 + o];
            for (int i = 0; i < inputs; i++) {
                a = Math.fma(x[x0 + i * inputStride], w[w0 + i * outputs + o], a);
            }
            out[out0 + o] = a;
        }
    }
}
