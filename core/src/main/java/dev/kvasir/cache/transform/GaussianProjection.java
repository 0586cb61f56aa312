package dev.kvasir.cache.transform;

import java.util.Random;

/**
 * Products with a fixed square matrix of independent standard normals: what a sign sketch is made of (QJL, arXiv 2406.03482).
 * Stored vectors and queries are projected alike; it is no change of basis and cannot be taken back.
 */
public final class GaussianProjection implements Transform {
    private final Dense dense;

    /** The projection of {@code width} channels that {@code seed} stands for. */
    public GaussianProjection(int width, long seed) {
        float[] matrix = new float[width * width];
        Random random = new Random(seed);
        for (int i = 0; i < matrix.length; i++) {
            matrix[i] = (float) random.nextGaussian();
        }
        dense = new Dense(matrix);
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
    public void applyToQueries(float[] x, int offset, int rows) {
        dense.apply(x, offset, rows);
    }

    /** Not possible. */
    @Override
    public void invert(float[] x, int offset, int rows) {
        throw new UnsupportedOperationException("a projection is not taken back");
    }
}
