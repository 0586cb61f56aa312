package dev.kvasir.cache.store;

/** Turning token rows into columns. */
public final class Panels {
    private Panels() {}

    /** {@code out[c][t] = rows[t][c]} for {@code count} tokens; rows of {@code out} are {@code outStride} apart. */
    public static void transpose(
            float[] rows, int offset, int stride, int count, int headDim, float[] out, int outStride) {
        transpose(rows, offset, stride, count, headDim, out, 0, outStride);
    }

    /** As above, with the first column at {@code out[outOffset]}. Eight channels at a time, so that both sides stay cached. */
    public static void transpose(
            float[] rows, int offset, int stride, int count, int headDim, float[] out, int outOffset, int outStride) {
        for (int c = 0; c < headDim; c += 8) {
            int end = Math.min(c + 8, headDim);
            for (int t = 0; t < count; t++) {
                int row = offset + t * stride;
                for (int channel = c; channel < end; channel++) {
                    out[outOffset + channel * outStride + t] = rows[row + channel];
                }
            }
        }
    }
}
