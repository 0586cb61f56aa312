package dev.kvasir.cache.correction;

import dev.kvasir.cache.kernel.Kernels;
import java.util.Arrays;

/**
 * Finds a low-rank approximation {@code R ~ A B} of a residual by block power iteration, in float32. {@code A} has
 * orthonormal columns and {@code B = A^t R}, so that {@code A B} is a projection of {@code R} and never farther from it
 * than zero is.
 *
 * <p>One instance serves one thread; it keeps its buffers and allocates only when a shape grows. Equal residuals and seeds
 * give equal bits.
 *
 * <p>Source: PowerSGD's iteration as GEAR uses it (arXiv 2403.05527, appendix), except that {@code B} is made orthonormal
 * every time round rather than in the last: the space it spans is the same, and neither small singular values nor small
 * residuals are lost to rounding on the way.
 */
public final class PowerIteration {
    /** What is left of a column after taking out the others is rounding below this share of it. */
    private static final float NOTHING = 2e-6f;

    private final Kernels kernels;
    private final float[] factor = new float[1];
    private float[] a = new float[0];
    private float[] b = new float[0];

    /** An iteration with these kernels. */
    public PowerIteration(Kernels kernels) {
        this.kernels = kernels;
    }

    /** {@code A} of the last call, {@code [rank][tokens]}; columns beyond the residual's rank are zero. */
    public float[] a() {
        return a;
    }

    /** {@code B} of the last call, {@code [rank][width]}. */
    public float[] b() {
        return b;
    }

    /**
     * Approximates {@code residual[tokens][width]}.
     *
     * @param stride numbers from one token to the next
     * @param loops one or more; three come within 5 % of the smallest possible error
     * @param seed of the start
     */
    public void factor(
            float[] residual, int offset, int stride, int tokens, int width, int rank, int loops, long seed) {
        if (loops < 1) {
            throw new IllegalArgumentException(loops + " power iterations");
        }
        a = grown(a, rank * tokens);
        b = grown(b, rank * width);
        start(rank * width, seed);
        for (int loop = 1; loop <= loops; loop++) {
            orthonormalize(b, rank, width);
            for (int t = 0; t < tokens; t++) {
                for (int k = 0; k < rank; k++) {
                    a[k * tokens + t] = kernels.dot(residual, offset + t * stride, b, k * width, width);
                }
            }
            if (loop == loops) {
                orthonormalize(a, rank, tokens);
            }
            Arrays.fill(b, 0, rank * width, 0f);
            kernels.sums(a, 0, tokens, rank, residual, offset, stride, tokens, width, b, 0, width);
        }
    }

    private static float[] grown(float[] array, int size) {
        return array.length >= size ? array : new float[size];
    }

    /** Uniform numbers in [0, 1) by SplitMix64. */
    private void start(int count, long seed) {
        long state = seed;
        for (int i = 0; i < count; i++) {
            state += 0x9e3779b97f4a7c15L;
            long z = (state ^ (state >>> 30)) * 0xbf58476d1ce4e5b9L;
            z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
            b[i] = ((z ^ (z >>> 31)) >>> 40) * 0x1p-24f;
        }
    }

    /** Gram-Schmidt on rows, each projected twice, which leaves no error; a row that depends on those before it becomes zero. */
    private void orthonormalize(float[] rows, int count, int length) {
        for (int k = 0; k < count; k++) {
            int row = k * length;
            if (!normalize(rows, row, length, Float.MIN_NORMAL)) {
                continue;
            }
            for (int pass = 0; pass < 2; pass++) {
                for (int other = 0; other < row; other += length) {
                    factor[0] = -kernels.dot(rows, row, rows, other, length);
                    kernels.sums(factor, 0, 1, 1, rows, other, length, 1, length, rows, row, length);
                }
            }
            if (k > 0) {
                normalize(rows, row, length, NOTHING / (float) Math.sqrt(length));
            }
        }
    }

    /** Brings a row to length one, or to zero if no number in it is larger than {@code nothing}. */
    private boolean normalize(float[] rows, int row, int length, float nothing) {
        float largest = 0;
        for (int i = row; i < row + length; i++) {
            largest = Math.max(largest, Math.abs(rows[i]));
        }
        if (!(largest > nothing)) {
            Arrays.fill(rows, row, row + length, 0f);
            return false;
        }
        // The squares of what is divided by its largest cannot overflow, nor all vanish.
        kernels.scale(rows, row, length, 1 / largest);
        float norm = (float) Math.sqrt(kernels.dot(rows, row, rows, row, length));
        kernels.scale(rows, row, length, 1 / norm);
        return true;
    }
}
