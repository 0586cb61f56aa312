package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.V;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;

/**
 * Butterflies in registers: distances below a vector's length by shuffles, the others three at a time (eight rows are
 * loaded once, go through three stages and are stored once).
 */
public final class VectorButterflies implements Butterflies {
    /** Lane {@code i} gets lane {@code i ^ distance}. */
    private static final VectorShuffle<Float> SWAP1 = swap(1);

    private static final VectorShuffle<Float> SWAP2 = swap(2);
    private static final VectorShuffle<Float> SWAP4 = swap(4);
    private static final VectorShuffle<Float> SWAP8 = swap(8);
    /** One, negative where the lane has the distance's bit. */
    private static final FloatVector SIGN1 = sign(1);

    private static final FloatVector SIGN2 = sign(2);
    private static final FloatVector SIGN4 = sign(4);
    private static final FloatVector SIGN8 = sign(8);

    private static VectorShuffle<Float> swap(int distance) {
        return VectorShuffle.fromOp(F, lane -> distance < V ? lane ^ distance : lane);
    }

    private static FloatVector sign(int distance) {
        float[] signs = new float[V];
        for (int lane = 0; lane < V; lane++) {
            signs[lane] = (lane & distance) == 0 ? 1 : -1;
        }
        return FloatVector.fromArray(F, signs, 0);
    }

    @Override
    public void runs(float[] x, int offset, int count, int block, float factor) {
        int within = Math.min(block, V);
        int vectors = count / V * V;
        for (int i = offset; i < offset + vectors; i += V) {
            within(FloatVector.fromArray(F, x, i).mul(factor), within).intoArray(x, i);
        }
        tail(x, offset + vectors, count - vectors, within, factor);
        if (block > V) {
            for (int start = offset; start < offset + count; start += block) {
                columns(x, start, block / V, V, V);
            }
        }
    }

    /** All stages inside a vector; a product with one or minus one is exact, so the sums are those of the oracle. */
    private static FloatVector within(FloatVector x, int block) {
        FloatVector y = x;
        if (block > 1) {
            y = y.fma(SIGN1, y.rearrange(SWAP1));
        }
        if (block > 2) {
            y = y.fma(SIGN2, y.rearrange(SWAP2));
        }
        if (block > 4) {
            y = y.fma(SIGN4, y.rearrange(SWAP4));
        }
        if (block > 8) {
            y = y.fma(SIGN8, y.rearrange(SWAP8));
        }
        return y;
    }

    /** Less than a vector, hence whole blocks shorter than one. */
    private static void tail(float[] x, int offset, int count, int block, float factor) {
        for (int i = offset; i < offset + count; i++) {
            x[i] *= factor;
        }
        for (int start = offset; start < offset + count; start += block) {
            for (int half = 1; half < block; half *= 2) {
                for (int i = start; i < start + block; i += 2 * half) {
                    ScalarButterflies.pair(x, i, i + half, half);
                }
            }
        }
    }

    @Override
    public void columns(float[] x, int offset, int rows, int stride, int lanes) {
        int half = 1;
        for (; 8 * half <= rows; half *= 8) {
            for (int i = 0; i < rows; i += 8 * half) {
                // Rows without gaps are one long row.
                int run = lanes == stride ? half : 1;
                for (int j = i; j < i + half; j += run) {
                    eight(x, offset + j * stride, half * stride, run * lanes);
                }
            }
        }
        for (; 2 * half <= rows; half *= 2) {
            for (int i = 0; i < rows; i += 2 * half) {
                for (int j = i; j < i + half; j++) {
                    two(x, offset + j * stride, half * stride, lanes);
                }
            }
        }
    }

    /** The loop is in here, so that its bounds are checked once and not eight times a row. */
    private static void eight(float[] x, int offset, int step, int lanes) {
        int lane = 0;
        for (; lane <= lanes - V; lane += V) {
            int o = offset + lane;
            FloatVector a = FloatVector.fromArray(F, x, o);
            FloatVector b = FloatVector.fromArray(F, x, o + step);
            FloatVector c = FloatVector.fromArray(F, x, o + 2 * step);
            FloatVector d = FloatVector.fromArray(F, x, o + 3 * step);
            FloatVector e = FloatVector.fromArray(F, x, o + 4 * step);
            FloatVector f = FloatVector.fromArray(F, x, o + 5 * step);
            FloatVector g = FloatVector.fromArray(F, x, o + 6 * step);
            FloatVector h = FloatVector.fromArray(F, x, o + 7 * step);
            FloatVector a1 = a.add(b);
            FloatVector b1 = a.sub(b);
            FloatVector c1 = c.add(d);
            FloatVector d1 = c.sub(d);
            FloatVector e1 = e.add(f);
            FloatVector f1 = e.sub(f);
            FloatVector g1 = g.add(h);
            FloatVector h1 = g.sub(h);
            a = a1.add(c1);
            b = b1.add(d1);
            c = a1.sub(c1);
            d = b1.sub(d1);
            e = e1.add(g1);
            f = f1.add(h1);
            g = e1.sub(g1);
            h = f1.sub(h1);
            a.add(e).intoArray(x, o);
            b.add(f).intoArray(x, o + step);
            c.add(g).intoArray(x, o + 2 * step);
            d.add(h).intoArray(x, o + 3 * step);
            a.sub(e).intoArray(x, o + 4 * step);
            b.sub(f).intoArray(x, o + 5 * step);
            c.sub(g).intoArray(x, o + 6 * step);
            d.sub(h).intoArray(x, o + 7 * step);
        }
        if (lane < lanes) {
            for (int half = 1; half < 8; half *= 2) {
                for (int i = 0; i < 8; i += i % half == half - 1 ? half + 1 : 1) {
                    int a = offset + lane + i * step;
                    ScalarButterflies.pair(x, a, a + half * step, lanes - lane);
                }
            }
        }
    }

    private static void two(float[] x, int offset, int step, int lanes) {
        int lane = 0;
        for (; lane <= lanes - V; lane += V) {
            FloatVector a = FloatVector.fromArray(F, x, offset + lane);
            FloatVector b = FloatVector.fromArray(F, x, offset + step + lane);
            a.add(b).intoArray(x, offset + lane);
            a.sub(b).intoArray(x, offset + step + lane);
        }
        ScalarButterflies.pair(x, offset + lane, offset + step + lane, lanes - lane);
    }
}
