package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.V;

import jdk.incubator.vector.FloatVector;

/** Products of query rows with dense matrices, four rows at a time: more would spill registers. */
final class VectorDense {
    private VectorDense() {}

    /** Longer than the 325 bytes that the JIT inlines: inside a large caller it would not inline the sum, which makes an object. */
    static float dot(float[] x, int xOffset, float[] y, int yOffset, int count) {
        FloatVector a = FloatVector.zero(F);
        FloatVector b = FloatVector.zero(F);
        FloatVector c = FloatVector.zero(F);
        FloatVector d = FloatVector.zero(F);
        int i = 0;
        for (; i <= count - 4 * V; i += 4 * V) {
            int xi = xOffset + i;
            int yi = yOffset + i;
            a = FloatVector.fromArray(F, x, xi).fma(FloatVector.fromArray(F, y, yi), a);
            b = FloatVector.fromArray(F, x, xi + V).fma(FloatVector.fromArray(F, y, yi + V), b);
            c = FloatVector.fromArray(F, x, xi + 2 * V).fma(FloatVector.fromArray(F, y, yi + 2 * V), c);
            d = FloatVector.fromArray(F, x, xi + 3 * V).fma(FloatVector.fromArray(F, y, yi + 3 * V), d);
        }
        for (; i <= count - 2 * V; i += 2 * V) {
            int xi = xOffset + i;
            int yi = yOffset + i;
            a = FloatVector.fromArray(F, x, xi).fma(FloatVector.fromArray(F, y, yi), a);
            b = FloatVector.fromArray(F, x, xi + V).fma(FloatVector.fromArray(F, y, yi + V), b);
        }
        for (; i <= count - V; i += V) {
            a = FloatVector.fromArray(F, x, xOffset + i).fma(FloatVector.fromArray(F, y, yOffset + i), a);
        }
        float sum = Species.sum(a.add(b).add(c.add(d)));
        for (; i < count; i++) {
            sum = Math.fma(x[xOffset + i], y[yOffset + i], sum);
        }
        return sum;
    }

    /** One row: four chains over the depth hide the latency of the fused multiply-add. */
    static void dots1(float[] x, int xOffset, float[] panel, int panelOffset, int depth, float[] out, int outOffset) {
        for (int lane = 0; lane < Kernels.PANEL; lane += 2 * V) {
            FloatVector a0 = FloatVector.zero(F);
            FloatVector a1 = a0;
            FloatVector b0 = a0;
            FloatVector b1 = a0;
            FloatVector c0 = a0;
            FloatVector c1 = a0;
            FloatVector d0 = a0;
            FloatVector d1 = a0;
            int j = 0;
            int p = panelOffset + lane;
            for (; j <= depth - 4; j += 4, p += 4 * Kernels.PANEL) {
                FloatVector x0 = FloatVector.broadcast(F, x[xOffset + j]);
                a0 = FloatVector.fromArray(F, panel, p).fma(x0, a0);
                a1 = FloatVector.fromArray(F, panel, p + V).fma(x0, a1);
                FloatVector x1 = FloatVector.broadcast(F, x[xOffset + j + 1]);
                b0 = FloatVector.fromArray(F, panel, p + Kernels.PANEL).fma(x1, b0);
                b1 = FloatVector.fromArray(F, panel, p + Kernels.PANEL + V).fma(x1, b1);
                FloatVector x2 = FloatVector.broadcast(F, x[xOffset + j + 2]);
                c0 = FloatVector.fromArray(F, panel, p + 2 * Kernels.PANEL).fma(x2, c0);
                c1 = FloatVector.fromArray(F, panel, p + 2 * Kernels.PANEL + V).fma(x2, c1);
                FloatVector x3 = FloatVector.broadcast(F, x[xOffset + j + 3]);
                d0 = FloatVector.fromArray(F, panel, p + 3 * Kernels.PANEL).fma(x3, d0);
                d1 = FloatVector.fromArray(F, panel, p + 3 * Kernels.PANEL + V).fma(x3, d1);
            }
            for (; j < depth; j++, p += Kernels.PANEL) {
                FloatVector x0 = FloatVector.broadcast(F, x[xOffset + j]);
                a0 = FloatVector.fromArray(F, panel, p).fma(x0, a0);
                a1 = FloatVector.fromArray(F, panel, p + V).fma(x0, a1);
            }
            a0.add(b0).add(c0.add(d0)).intoArray(out, outOffset + lane);
            a1.add(b1).add(c1.add(d1)).intoArray(out, outOffset + lane + V);
        }
    }

    static void dots4(
            float[] x,
            int xOffset,
            int xStride,
            float[] panel,
            int panelOffset,
            int depth,
            float[] out,
            int outOffset,
            int outStride) {
        for (int lane = 0; lane < Kernels.PANEL; lane += 2 * V) {
            FloatVector a0 = FloatVector.zero(F);
            FloatVector a1 = a0;
            FloatVector b0 = a0;
            FloatVector b1 = a0;
            FloatVector c0 = a0;
            FloatVector c1 = a0;
            FloatVector d0 = a0;
            FloatVector d1 = a0;
            int p = panelOffset + lane;
            for (int j = 0; j < depth; j++, p += Kernels.PANEL) {
                int xj = xOffset + j;
                FloatVector m0 = FloatVector.fromArray(F, panel, p);
                FloatVector m1 = FloatVector.fromArray(F, panel, p + V);
                FloatVector xa = FloatVector.broadcast(F, x[xj]);
                a0 = m0.fma(xa, a0);
                a1 = m1.fma(xa, a1);
                FloatVector xb = FloatVector.broadcast(F, x[xj + xStride]);
                b0 = m0.fma(xb, b0);
                b1 = m1.fma(xb, b1);
                FloatVector xc = FloatVector.broadcast(F, x[xj + 2 * xStride]);
                c0 = m0.fma(xc, c0);
                c1 = m1.fma(xc, c1);
                FloatVector xd = FloatVector.broadcast(F, x[xj + 3 * xStride]);
                d0 = m0.fma(xd, d0);
                d1 = m1.fma(xd, d1);
            }
            int o = outOffset + lane;
            a0.intoArray(out, o);
            a1.intoArray(out, o + V);
            b0.intoArray(out, o + outStride);
            b1.intoArray(out, o + outStride + V);
            c0.intoArray(out, o + 2 * outStride);
            c1.intoArray(out, o + 2 * outStride + V);
            d0.intoArray(out, o + 3 * outStride);
            d1.intoArray(out, o + 3 * outStride + V);
        }
    }

    static void sums1(
            float[] x,
            int xOffset,
            float[] matrix,
            int matrixOffset,
            int matrixStride,
            int depth,
            int lanes,
            float[] out,
            int outOffset) {
        int lane = 0;
        for (; lane <= lanes - 4 * V; lane += 4 * V) {
            int o = outOffset + lane;
            FloatVector a0 = FloatVector.fromArray(F, out, o);
            FloatVector a1 = FloatVector.fromArray(F, out, o + V);
            FloatVector a2 = FloatVector.fromArray(F, out, o + 2 * V);
            FloatVector a3 = FloatVector.fromArray(F, out, o + 3 * V);
            int p = matrixOffset + lane;
            for (int j = 0; j < depth; j++, p += matrixStride) {
                FloatVector xj = FloatVector.broadcast(F, x[xOffset + j]);
                a0 = FloatVector.fromArray(F, matrix, p).fma(xj, a0);
                a1 = FloatVector.fromArray(F, matrix, p + V).fma(xj, a1);
                a2 = FloatVector.fromArray(F, matrix, p + 2 * V).fma(xj, a2);
                a3 = FloatVector.fromArray(F, matrix, p + 3 * V).fma(xj, a3);
            }
            a0.intoArray(out, o);
            a1.intoArray(out, o + V);
            a2.intoArray(out, o + 2 * V);
            a3.intoArray(out, o + 3 * V);
        }
        for (; lane <= lanes - V; lane += V) {
            FloatVector a0 = FloatVector.fromArray(F, out, outOffset + lane);
            int p = matrixOffset + lane;
            for (int j = 0; j < depth; j++, p += matrixStride) {
                a0 = FloatVector.fromArray(F, matrix, p).fma(FloatVector.broadcast(F, x[xOffset + j]), a0);
            }
            a0.intoArray(out, outOffset + lane);
        }
        for (; lane < lanes; lane++) {
            sumLane(x, xOffset, matrix, matrixOffset + lane, matrixStride, depth, out, outOffset + lane);
        }
    }

    private static void sumLane(
            float[] x,
            int xOffset,
            float[] matrix,
            int matrixOffset,
            int matrixStride,
            int depth,
            float[] out,
            int outIndex) {
        float sum = out[outIndex];
        for (int j = 0; j < depth; j++) {
            sum = Math.fma(x[xOffset + j], matrix[matrixOffset + j * matrixStride], sum);
        }
        out[outIndex] = sum;
    }

    static void sums4(
            float[] x,
            int xOffset,
            int xStride,
            float[] matrix,
            int matrixOffset,
            int matrixStride,
            int depth,
            int lanes,
            float[] out,
            int outOffset,
            int outStride) {
        int lane = 0;
        for (; lane <= lanes - 2 * V; lane += 2 * V) {
            sums4x2(
                    x,
                    xOffset,
                    xStride,
                    matrix,
                    matrixOffset + lane,
                    matrixStride,
                    depth,
                    out,
                    outOffset + lane,
                    outStride);
        }
        if (lane < lanes) {
            for (int r = 0; r < 4; r++) {
                sums1(
                        x,
                        xOffset + r * xStride,
                        matrix,
                        matrixOffset + lane,
                        matrixStride,
                        depth,
                        lanes - lane,
                        out,
                        outOffset + r * outStride + lane);
            }
        }
    }

    private static void sums4x2(
            float[] x,
            int xOffset,
            int xStride,
            float[] matrix,
            int matrixOffset,
            int matrixStride,
            int depth,
            float[] out,
            int o,
            int outStride) {
        FloatVector a0 = FloatVector.fromArray(F, out, o);
        FloatVector a1 = FloatVector.fromArray(F, out, o + V);
        FloatVector b0 = FloatVector.fromArray(F, out, o + outStride);
        FloatVector b1 = FloatVector.fromArray(F, out, o + outStride + V);
        FloatVector c0 = FloatVector.fromArray(F, out, o + 2 * outStride);
        FloatVector c1 = FloatVector.fromArray(F, out, o + 2 * outStride + V);
        FloatVector d0 = FloatVector.fromArray(F, out, o + 3 * outStride);
        FloatVector d1 = FloatVector.fromArray(F, out, o + 3 * outStride + V);
        int p = matrixOffset;
        for (int j = 0; j < depth; j++, p += matrixStride) {
            int xj = xOffset + j;
            FloatVector m0 = FloatVector.fromArray(F, matrix, p);
            FloatVector m1 = FloatVector.fromArray(F, matrix, p + V);
            FloatVector xa = FloatVector.broadcast(F, x[xj]);
            a0 = m0.fma(xa, a0);
            a1 = m1.fma(xa, a1);
            FloatVector xb = FloatVector.broadcast(F, x[xj + xStride]);
            b0 = m0.fma(xb, b0);
            b1 = m1.fma(xb, b1);
            FloatVector xc = FloatVector.broadcast(F, x[xj + 2 * xStride]);
            c0 = m0.fma(xc, c0);
            c1 = m1.fma(xc, c1);
            FloatVector xd = FloatVector.broadcast(F, x[xj + 3 * xStride]);
            d0 = m0.fma(xd, d0);
            d1 = m1.fma(xd, d1);
        }
        a0.intoArray(out, o);
        a1.intoArray(out, o + V);
        b0.intoArray(out, o + outStride);
        b1.intoArray(out, o + outStride + V);
        c0.intoArray(out, o + 2 * outStride);
        c1.intoArray(out, o + 2 * outStride + V);
        d0.intoArray(out, o + 3 * outStride);
        d1.intoArray(out, o + 3 * outStride + V);
    }
}
