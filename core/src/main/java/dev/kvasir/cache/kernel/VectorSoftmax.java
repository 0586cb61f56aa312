package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.V;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** The softmax's loops. */
final class VectorSoftmax {
    private static final float LOG2E = 1.442695f;
    /** ln 2 in two parts: the first has few bits, so its product with a small integer is exact. */
    private static final float LN2_HIGH = 0.6933594f;

    private static final float LN2_LOW = -2.1219444e-4f;
    /** Adding 1.5 * 2^23 rounds a small float to an integer that then sits in its low bits. */
    private static final float ROUNDER = 12582912f;
    /** exp below this is 0: the smallest normal float is exp(-87.34). */
    private static final float LOWEST = -87f;

    private VectorSoftmax() {}

    static float max(float[] x, int offset, int count) {
        int bound = count - count % V;
        float max = Float.NEGATIVE_INFINITY;
        if (bound > 0) {
            FloatVector maxima = FloatVector.fromArray(F, x, offset);
            for (int i = V; i < bound; i += V) {
                maxima = maxima.max(FloatVector.fromArray(F, x, offset + i));
            }
            max = maxima.reduceLanes(VectorOperators.MAX);
        }
        for (int i = bound; i < count; i++) {
            max = Math.max(max, x[offset + i]);
        }
        return max;
    }

    static float min(float[] x, int offset, int count) {
        int bound = count - count % V;
        float min = Float.POSITIVE_INFINITY;
        if (bound > 0) {
            FloatVector minima = FloatVector.fromArray(F, x, offset);
            for (int i = V; i < bound; i += V) {
                minima = minima.min(FloatVector.fromArray(F, x, offset + i));
            }
            min = minima.reduceLanes(VectorOperators.MIN);
        }
        for (int i = bound; i < count; i++) {
            min = Math.min(min, x[offset + i]);
        }
        return min;
    }

    /**
     * exp(x - max): x - max = n ln 2 + r with |r| at most ln 2 / 2, a polynomial for exp(r) (the minimax coefficients of
     * Cephes expf), then n added to the exponent.
     */
    static float expSum(float[] x, int offset, int count, float max) {
        int bound = count - count % V;
        FloatVector sums = FloatVector.zero(F);
        for (int i = offset; i < offset + bound; i += V) {
            FloatVector shifted = FloatVector.fromArray(F, x, i).sub(max);
            FloatVector clamped = shifted.max(LOWEST);
            FloatVector rounded = clamped.fma(FloatVector.broadcast(F, LOG2E), FloatVector.broadcast(F, ROUNDER));
            FloatVector n = rounded.sub(ROUNDER);
            FloatVector r = n.fma(FloatVector.broadcast(F, -LN2_HIGH), clamped);
            r = n.fma(FloatVector.broadcast(F, -LN2_LOW), r);
            FloatVector p = r.fma(FloatVector.broadcast(F, 1.9875691e-4f), FloatVector.broadcast(F, 1.3981999e-3f));
            p = p.fma(r, FloatVector.broadcast(F, 8.333452e-3f));
            p = p.fma(r, FloatVector.broadcast(F, 4.1665796e-2f));
            p = p.fma(r, FloatVector.broadcast(F, 1.6666666e-1f));
            p = p.fma(r, FloatVector.broadcast(F, 0.5f));
            p = p.fma(r.mul(r), r).add(1f);
            FloatVector weights = p.reinterpretAsInts()
                    .add(rounded.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                    .reinterpretAsFloats()
                    .blend(0f, shifted.compare(VectorOperators.LT, LOWEST));
            weights.intoArray(x, i);
            sums = sums.add(weights);
        }
        float sum = Species.sum(sums);
        for (int i = offset + bound; i < offset + count; i++) {
            float weight = (float) Math.exp(x[i] - max);
            x[i] = weight;
            sum += weight;
        }
        return sum;
    }

    static void scale(float[] x, int offset, int count, float factor) {
        int i = 0;
        for (; i <= count - V; i += V) {
            FloatVector.fromArray(F, x, offset + i).mul(factor).intoArray(x, offset + i);
        }
        for (; i < count; i++) {
            x[offset + i] *= factor;
        }
    }
}
