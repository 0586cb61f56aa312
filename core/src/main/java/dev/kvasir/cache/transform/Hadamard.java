package dev.kvasir.cache.transform;

/**
 * The Walsh-Hadamard rotation, orthonormal and its own inverse, on blocks of the largest power of two that divides the
 * head's width. It spreads outlier channels over all channels of a block.
 */
public final class Hadamard implements Transform {
    private final int headDim;
    private final int block;
    private final float norm;

    /** The rotation of heads of {@code headDim} channels. */
    public Hadamard(int headDim) {
        this.headDim = headDim;
        this.block = Integer.lowestOneBit(headDim);
        this.norm = (float) (1 / Math.sqrt(block));
    }

    @Override
    public boolean isNone() {
        return false;
    }

    @Override
    public void apply(float[] x, int offset, int rows) {
        int end = offset + rows * headDim;
        for (int start = offset; start < end; start += block) {
            butterflies(x, start);
        }
    }

    private void butterflies(float[] x, int start) {
        for (int half = 1; half < block; half *= 2) {
            for (int i = start; i < start + block; i += 2 * half) {
                for (int j = i; j < i + half; j++) {
                    float a = x[j];
                    float b = x[j + half];
                    x[j] = a + b;
                    x[j + half] = a - b;
                }
            }
        }
        for (int i = start; i < start + block; i++) {
            x[i] *= norm;
        }
    }

    @Override
    public void invert(float[] x, int offset, int rows) {
        apply(x, offset, rows);
    }
}
