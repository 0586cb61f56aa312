package dev.kvasir.cache.method.bfp;

import dev.kvasir.cache.transform.Transform;

/**
 * Queries as block floating point with 8-bit mantissas, blocks as those of the keys: products of mantissas are then integers
 * below 2^24, which floats add exactly, so a block's sum is the integer sum. Stored rows are left alone.
 */
final class MantissaRounding implements Transform {
    private static final int LARGEST = 127;
    /** Mantissas have 6 bits after the leading one. */
    private static final int FRACTION = 6;

    private final int width;
    private final int block;

    MantissaRounding(int width, int block) {
        this.width = width;
        this.block = block;
    }

    @Override
    public boolean isNone() {
        return false;
    }

    @Override
    public int width() {
        return width;
    }

    @Override
    public void apply(float[] x, int offset, int rows) {}

    @Override
    public void applyToQueries(float[] x, int offset, int rows) {
        for (int start = offset; start < offset + rows * width; start += block) {
            float most = 0;
            for (int i = start; i < start + block; i++) {
                most = Math.max(most, Math.abs(x[i]));
            }
            if (most >= Float.MIN_NORMAL) {
                float step = Math.scalb(1f, Math.getExponent(most) - FRACTION);
                for (int i = start; i < start + block; i++) {
                    x[i] = (float) Math.clamp(Math.rint((double) x[i] / step), -LARGEST, LARGEST) * step;
                }
            }
        }
    }

    @Override
    public void invert(float[] x, int offset, int rows) {}
}
