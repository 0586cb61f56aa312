package dev.kvasir.cache.transform;

import java.util.Random;

/**
 * Three rounds of random signs followed by a Hadamard rotation: almost as good a mixer as a {@link RandomRotation} for a
 * fraction of the work, where the width is a power of two. Equal seeds give equal rotations.
 *
 * <p>Source: Ailon and Chazelle, The fast Johnson-Lindenstrauss transform (2009); three rounds as in Andoni et al., arXiv
 * 1509.02897, section 5.
 */
public final class RandomHadamard implements Orthonormal {
    private static final int ROUNDS = 3;

    private final Transform hadamard;
    private final ChannelScale[] signs = new ChannelScale[ROUNDS];

    /**
     * The rotation of {@code width} channels that {@code seed} stands for.
     *
     * @throws IllegalArgumentException where {@link Hadamard#full} knows no matrix
     */
    public RandomHadamard(int width, long seed) {
        hadamard = Hadamard.full(width);
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            float[] sign = new float[width];
            for (int i = 0; i < width; i++) {
                sign[i] = random.nextBoolean() ? 1 : -1;
            }
            signs[round] = new ChannelScale(sign);
        }
    }

    @Override
    public boolean isNone() {
        return false;
    }

    @Override
    public int width() {
        return hadamard.width();
    }

    @Override
    public void apply(float[] x, int offset, int rows) {
        for (int round = 0; round < ROUNDS; round++) {
            signs[round].apply(x, offset, rows);
            hadamard.apply(x, offset, rows);
        }
    }

    @Override
    public void invert(float[] x, int offset, int rows) {
        for (int round = ROUNDS - 1; round >= 0; round--) {
            hadamard.invert(x, offset, rows);
            signs[round].invert(x, offset, rows);
        }
    }
}
