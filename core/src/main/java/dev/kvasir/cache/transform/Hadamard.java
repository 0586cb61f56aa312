package dev.kvasir.cache.transform;

import dev.kvasir.cache.kernel.Butterflies;
import java.util.Optional;

/**
 * The Walsh-Hadamard rotation, orthonormal and its own inverse, on blocks of the largest power of two that divides the
 * head's width. It spreads outlier channels over all channels of a block.
 */
public final class Hadamard implements Orthonormal {
    private final Butterflies butterflies;
    private final int headDim;
    private final int block;
    private final float norm;

    /** The rotation of heads of {@code headDim} channels. */
    public Hadamard(int headDim) {
        this(headDim, Butterflies.best());
    }

    Hadamard(int headDim, Butterflies butterflies) {
        this.butterflies = butterflies;
        this.headDim = headDim;
        this.block = Integer.lowestOneBit(headDim);
        this.norm = (float) (1 / Math.sqrt(block));
    }

    /**
     * A Hadamard rotation that mixes all channels: this one for a power of two, else a known small Hadamard matrix times
     * Sylvester's, e.g. 96 = 12 * 8 and 80 = 20 * 4 (QuaRot, arXiv 2404.00456, section 3).
     *
     * @throws IllegalArgumentException where no such matrix can be made here: a width that is no multiple of four, or one of
     *     a few multiples of four of which 52, 92 and 100 are the smallest
     */
    public static Transform full(int headDim) {
        if (Integer.bitCount(headDim) == 1) {
            return new Hadamard(headDim);
        }
        Optional<float[]> matrix = HadamardMatrix.of(headDim);
        return new Dense(matrix.orElseThrow(() -> new IllegalArgumentException("Hadamard matrix of order " + headDim)));
    }

    /** Channels that are mixed with each other. */
    public int block() {
        return block;
    }

    @Override
    public boolean isNone() {
        return block == 1;
    }

    @Override
    public int width() {
        return headDim;
    }

    @Override
    public void apply(float[] x, int offset, int rows) {
        butterflies.runs(x, offset, rows * headDim, block, norm);
    }

    @Override
    public void invert(float[] x, int offset, int rows) {
        apply(x, offset, rows);
    }
}
