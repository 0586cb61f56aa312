package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * Dot products of a few weight rows with a few tokens, both contiguous: the product for one token or a handful, which
 * waits for memory rather than for arithmetic.
 *
 * <p>All add to {@code out[token * outStride + row]}. Row {@code r} of the weights starts at {@code r * wStride}, token
 * {@code t} of the input at {@code x0 + t * xStride}.
 */
final class Dots {
    private Dots() {}

    /** Any number of rows and tokens, by the widest tiles that fit. */
    static void add(
            float[] w,
            int wStride,
            int rows,
            float[] x,
            int x0,
            int xStride,
            int tokens,
            int count,
            float[] out,
            int out0,
            int outStride) {
        int t = 0;
        for (; t <= tokens - 4; t += 4) {
            int r = 0;
            for (; r <= rows - 2; r += 2) {
                add2x4(
                        w,
                        r * wStride,
                        wStride,
                        x,
                        x0 + t * xStride,
                        xStride,
                        count,
                        out,
                        out0 + t * outStride + r,
                        outStride);
            }
            for (; r < rows; r++) {
                for (int i = 0; i < 4; i++) {
                    add1x1(w, r * wStride, x, x0 + (t + i) * xStride, count, out, out0 + (t + i) * outStride + r);
                }
            }
        }
        for (; t < tokens; t++) {
            int r = 0;
            for (; r <= rows - 4; r += 4) {
                add4x1(w, r * wStride, wStride, x, x0 + t * xStride, count, out, out0 + t * outStride + r);
            }
            for (; r < rows; r++) {
                add1x1(w, r * wStride, x, x0 + t * xStride, count, out, out0 + t * outStride + r);
            }
        }
    }

    private static FloatVector load(float[] a, int at) {
        return FloatVector.fromArray(F, a, at);
    }

    private static void add1x1(float[] w, int w0, float[] x, int x0, int count, float[] out, int o) {
        FloatVector a = FloatVector.zero(F);
        int bound = F.loopBound(count);
        for (int i = 0; i < bound; i += LANES) {
            a = load(w, w0 + i).fma(load(x, x0 + i), a);
        }
        out[o] += Simd.sum(a) + tail(w, w0, x, x0, bound, count);
    }

    private static float tail(float[] w, int w0, float[] x, int x0, int from, int count) {
        float sum = 0;
        for (int i = from; i < count; i++) {
            sum += w[w0 + i] * x[x0 + i];
        }
        return sum;
    }

    /** Four rows, one token. */
    private static void add4x1(float[] w, int w0, int wStride, float[] x, int x0, int count, float[] out, int o) {
        int w1 = w0 + wStride;
        int w2 = w1 + wStride;
        int w3 = w2 + wStride;
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        FloatVector a2 = a0;
        FloatVector a3 = a0;
        int bound = F.loopBound(count);
        for (int i = 0; i < bound; i += LANES) {
            FloatVector v = load(x, x0 + i);
            a0 = v.fma(load(w, w0 + i), a0);
            a1 = v.fma(load(w, w1 + i), a1);
            a2 = v.fma(load(w, w2 + i), a2);
            a3 = v.fma(load(w, w3 + i), a3);
        }
        FloatVector sums = Simd.sums(a0, a1, a2, a3);
        out[o] += sums.lane(0) + tail(w, w0, x, x0, bound, count);
        out[o + 1] += sums.lane(1) + tail(w, w1, x, x0, bound, count);
        out[o + 2] += sums.lane(2) + tail(w, w2, x, x0, bound, count);
        out[o + 3] += sums.lane(3) + tail(w, w3, x, x0, bound, count);
    }

    /** Two rows, four tokens: every weight vector loaded is used four times. */
    private static void add2x4(
            float[] w,
            int w0,
            int wStride,
            float[] x,
            int x0,
            int xStride,
            int count,
            float[] out,
            int o,
            int oStride) {
        int w1 = w0 + wStride;
        int x1 = x0 + xStride;
        int x2 = x1 + xStride;
        int x3 = x2 + xStride;
        FloatVector a00 = FloatVector.zero(F);
        FloatVector a01 = a00;
        FloatVector a02 = a00;
        FloatVector a03 = a00;
        FloatVector a10 = a00;
        FloatVector a11 = a00;
        FloatVector a12 = a00;
        FloatVector a13 = a00;
        int bound = F.loopBound(count);
        for (int i = 0; i < bound; i += LANES) {
            FloatVector u = load(w, w0 + i);
            FloatVector v = load(w, w1 + i);
            FloatVector p = load(x, x0 + i);
            a00 = u.fma(p, a00);
            a10 = v.fma(p, a10);
            p = load(x, x1 + i);
            a01 = u.fma(p, a01);
            a11 = v.fma(p, a11);
            p = load(x, x2 + i);
            a02 = u.fma(p, a02);
            a12 = v.fma(p, a12);
            p = load(x, x3 + i);
            a03 = u.fma(p, a03);
            a13 = v.fma(p, a13);
        }
        FloatVector sums0 = Simd.sums(a00, a01, a02, a03);
        FloatVector sums1 = Simd.sums(a10, a11, a12, a13);
        int o1 = o + oStride;
        int o2 = o1 + oStride;
        int o3 = o2 + oStride;
        out[o] += sums0.lane(0) + tail(w, w0, x, x0, bound, count);
        out[o + 1] += sums1.lane(0) + tail(w, w1, x, x0, bound, count);
        out[o1] += sums0.lane(1) + tail(w, w0, x, x1, bound, count);
        out[o1 + 1] += sums1.lane(1) + tail(w, w1, x, x1, bound, count);
        out[o2] += sums0.lane(2) + tail(w, w0, x, x2, bound, count);
        out[o2 + 1] += sums1.lane(2) + tail(w, w1, x, x2, bound, count);
        out[o3] += sums0.lane(3) + tail(w, w0, x, x3, bound, count);
        out[o3 + 1] += sums1.lane(3) + tail(w, w1, x, x3, bound, count);
    }
}
