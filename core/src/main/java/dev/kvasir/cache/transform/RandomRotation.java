package dev.kvasir.cache.transform;

import java.util.Random;

/**
 * A random rotation, uniform over all of them: the orthonormal factor of a Gaussian matrix. Every coordinate of a rotated
 * unit vector then has the density of a coordinate of a random point of the sphere.
 *
 * <p>Equal seeds give equal rotations on every machine. A row costs {@code width^2} products; {@link RandomHadamard} costs
 * {@code 3 width log2 width} sums. Source: TurboQuant, arXiv 2504.19874, algorithm 1.
 */
public final class RandomRotation implements Orthonormal {
    private final Dense dense;

    /** The rotation of {@code width} channels that {@code seed} stands for. */
    public RandomRotation(int width, long seed) {
        dense = new Dense(matrix(width, new Random(seed)));
    }

    /** Rows drawn one by one, each made orthogonal to those before it (twice, which leaves no error) and of length one. */
    private static float[] matrix(int width, Random random) {
        double[][] rows = new double[width][width];
        float[] matrix = new float[width * width];
        for (int i = 0; i < width; i++) {
            for (int j = 0; j < width; j++) {
                rows[i][j] = random.nextGaussian();
            }
            for (int pass = 0; pass < 2; pass++) {
                for (int k = 0; k < i; k++) {
                    add(rows[i], -dot(rows[i], rows[k]), rows[k]);
                }
            }
            double length = Math.sqrt(dot(rows[i], rows[i]));
            for (int j = 0; j < width; j++) {
                rows[i][j] /= length;
                matrix[i * width + j] = (float) rows[i][j];
            }
        }
        return matrix;
    }

    private static double dot(double[] x, double[] y) {
        double sum = 0;
        for (int i = 0; i < x.length; i++) {
            sum += x[i] * y[i];
        }
        return sum;
    }

    private static void add(double[] x, double factor, double[] y) {
        for (int i = 0; i < x.length; i++) {
            x[i] += factor * y[i];
        }
    }

    @Override
    public boolean isNone() {
        return false;
    }

    @Override
    public int width() {
        return dense.width();
    }

    @Override
    public void apply(float[] x, int offset, int rows) {
        dense.apply(x, offset, rows);
    }

    @Override
    public void invert(float[] x, int offset, int rows) {
        dense.invert(x, offset, rows);
    }
}
