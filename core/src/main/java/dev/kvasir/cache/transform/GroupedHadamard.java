package dev.kvasir.cache.transform;

import dev.kvasir.cache.kernel.Butterflies;

/**
 * One Hadamard rotation over the channels of several heads: {@code H_heads (x) H_headDim}, orthonormal and its own inverse.
 * A row is {@code [heads][headDim]}, the head being the slow index as in Sylvester's order. Where {@code headDim} is no
 * power of two, its factor mixes blocks of the largest one that divides it.
 *
 * <p>Source: RotateKV, arXiv 2501.16383, "grouped-head rotation".
 */
public final class GroupedHadamard implements Orthonormal {
    private final Butterflies butterflies;
    private final int heads;
    private final int headDim;
    private final int block;
    private final float norm;

    /** The rotation over {@code heads} heads, a power of two, of {@code headDim} channels. */
    public GroupedHadamard(int heads, int headDim) {
        this(heads, headDim, Butterflies.best());
    }

    GroupedHadamard(int heads, int headDim, Butterflies butterflies) {
        if (Integer.bitCount(heads) != 1 || headDim < 1) {
            throw new IllegalArgumentException("a rotation over " + heads + " heads of " + headDim + " channels");
        }
        this.butterflies = butterflies;
        this.heads = heads;
        this.headDim = headDim;
        this.block = Integer.lowestOneBit(headDim);
        this.norm = (float) (1 / Math.sqrt((double) heads * block));
    }

    @Override
    public boolean isNone() {
        return false;
    }

    @Override
    public int width() {
        return heads * headDim;
    }

    /** Heads that are rotated together. */
    public int heads() {
        return heads;
    }

    /** What {@link #butterflies} leaves undone: a factor that a caller may fold into the scales of what it unpacks. */
    public float norm() {
        return norm;
    }

    @Override
    public void apply(float[] x, int offset, int rows) {
        int width = width();
        if (block == headDim) {
            butterflies.runs(x, offset, rows * width, width, norm);
            return;
        }
        butterflies.runs(x, offset, rows * width, block, norm);
        for (int row = 0; row < rows; row++) {
            butterflies.columns(x, offset + row * width, heads, headDim, headDim);
        }
    }

    @Override
    public void invert(float[] x, int offset, int rows) {
        apply(x, offset, rows);
    }

    /** {@link #apply} to {@code tokens} tokens in lanes: {@code x[heads * headDim][stride]}, of which the first {@code tokens} of each row. */
    public void applyTile(float[] x, int offset, int stride, int tokens) {
        for (int row = 0; row < width(); row++) {
            int from = offset + row * stride;
            for (int i = from; i < from + tokens; i++) {
                x[i] *= norm;
            }
        }
        butterflies(x, offset, stride, tokens);
    }

    /** {@link #applyTile} without its factor {@link #norm}. */
    public void butterflies(float[] x, int offset, int stride, int tokens) {
        if (block == headDim) {
            butterflies.columns(x, offset, width(), stride, tokens);
            return;
        }
        for (int row = 0; row < width(); row += block) {
            butterflies.columns(x, offset + row * stride, block, stride, tokens);
        }
        for (int channel = 0; channel < headDim; channel++) {
            butterflies.columns(x, offset + channel * stride, heads, headDim * stride, tokens);
        }
    }
}
