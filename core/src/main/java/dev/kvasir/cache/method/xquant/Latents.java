package dev.kvasir.cache.method.xquant;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.Projections;
import dev.kvasir.cache.correction.Svd;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RowReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The orthonormal basis of what a projection reads of a layer's input: {@code W = U M}, of full rank, so that nothing is lost
 * on the way through the latents {@code x U} (XQuant, arXiv 2508.10395).
 *
 * @param width numbers of a latent: the smaller side of {@code W}
 * @param hidden numbers of an input
 * @param basis {@code U} transposed, {@code [width][hidden]}
 */
record Latents(int width, int hidden, float[] basis) {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** What is left of {@code U^t U} beside the identity, at most. */
    private static final double ORTHONORMAL = 1e-5;

    /**
     * A projection in two factors.
     *
     * @param rest {@code M} transposed, {@code [outputs][width]}
     */
    record Factors(Latents latents, Matrix rest) {}

    /** A weight matrix {@code [rows][columns]} as numbers. */
    private record Numbers(float[] array, int rows, int columns) {}

    /** The keys' projection of a layer, made once for a model. */
    static Factors ofKeys(Projections weights, int layer) {
        return weights.derivations()
                .get("xquant keys " + layer, Factors.class, () -> factors(layer, numbers(weights.keys(layer))));
    }

    /** The values' projection of a layer, made once for a model. */
    static Factors ofValues(Projections weights, int layer) {
        return weights.derivations()
                .get("xquant values " + layer, Factors.class, () -> factors(layer, numbers(weights.values(layer))));
    }

    /** What keys and values of a layer read together, {@code [W_k | W_v]}, made once for a model. */
    static Latents ofBoth(Projections weights, int layer) {
        return weights.derivations().get("xquant both " + layer, Latents.class, () -> {
            Numbers keys = numbers(weights.keys(layer));
            Numbers values = numbers(weights.values(layer));
            float[] both = Arrays.copyOf(keys.array, keys.array.length + values.array.length);
            System.arraycopy(values.array, 0, both, keys.array.length, values.array.length);
            Numbers joint = new Numbers(both, keys.rows + values.rows, keys.columns);
            return latents(layer, joint, Svd.of(joint.array, joint.rows, joint.columns));
        });
    }

    private static Numbers numbers(Matrix matrix) {
        float[] array = new float[Math.multiplyExact(matrix.rows(), matrix.columns())];
        RowReader.read(matrix, 0, 0, array.length, array, 0);
        return new Numbers(array, matrix.rows(), matrix.columns());
    }

    /** The weights are {@code W} transposed, so that {@code U} are their right vectors. */
    private static Latents latents(int layer, Numbers w, Svd svd) {
        double skew = Svd.skewness(svd.v(), svd.rank(), w.columns);
        if (skew > ORTHONORMAL) {
            throw new InvalidInputException("layer " + layer + ": the basis of its projections is orthonormal but for "
                    + skew + ", allowed is " + ORTHONORMAL);
        }
        float[] basis = new float[svd.rank() * w.columns];
        for (int i = 0; i < basis.length; i++) {
            basis[i] = (float) svd.v()[i];
        }
        return new Latents(svd.rank(), w.columns, basis);
    }

    private static Factors factors(int layer, Numbers w) {
        Svd svd = Svd.of(w.array, w.rows, w.columns);
        Latents latents = latents(layer, w, svd);
        int width = latents.width;
        MemorySegment rest = Arena.ofAuto().allocate(4L * w.rows * width, 64);
        for (int o = 0; o < w.rows; o++) {
            for (int k = 0; k < width; k++) {
                float m = (float) (svd.u()[k * w.rows + o] * svd.s()[k]);
                rest.set(FLOAT, 4L * ((long) o * width + k), m);
            }
        }
        return new Factors(latents, new Matrix(DType.F32, w.rows, width, rest));
    }

    /** Writes the latents of some inputs {@code x[row][hidden]} to the same rows of {@code out}; an input's bits do not depend on the others. */
    void of(Kernels kernels, float[] x, int from, int rows, float[] out) {
        for (int k = 0; k < width; k++) {
            for (int row = from; row < from + rows; row++) {
                out[row * width + k] = kernels.dot(x, row * hidden, basis, k * hidden, hidden);
            }
        }
    }

    /** Writes the latent of one input {@code x[hidden]} to {@code out[width]}. */
    void ofOne(Kernels kernels, float[] x, int offset, float[] out, int outOffset) {
        for (int k = 0; k < width; k++) {
            out[outOffset + k] = kernels.dot(x, offset, basis, k * hidden, hidden);
        }
    }
}
