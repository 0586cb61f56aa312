package dev.kvasir.cache.store;

/**
 * The values of a head that are products of something smaller, or shared by the heads: sums are made of that, and go through
 * the head's weights once. {@code sum of p_t (W x_t) = W (sum of p_t x_t)}, so values are never made again.
 *
 * @param summed what is summed, {@code product.inputs()} numbers a slot
 * @param product the weights of all heads
 * @param row the head's first among its outputs
 * @param headDim how many follow
 */
public record AbsorbedValues(ValueReader summed, MatrixProduct product, int row, int headDim) implements ValueReader {
    @Override
    public int size() {
        return summed.size();
    }

    @Override
    public int sumWidth(int headDim) {
        return product.inputs();
    }

    @Override
    public void addWeighted(
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch) {
        summed.addWeighted(weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
    }

    @Override
    public void project(float[] sums, int offset, int rows, int headDim, float[] out, int outOffset, Scratch scratch) {
        product.ofRows(sums, offset, rows, row, headDim, out, outOffset, scratch);
    }

    /** Where what is summed is of a head's width by chance, nobody asked to {@linkplain #project} it. */
    @Override
    public void finish(float[] sums, int offset, int rows, Scratch scratch) {
        int width = product.inputs();
        if (width == headDim) {
            float[] projected = scratch.tile(rows * width);
            product.ofRows(sums, offset, rows, row, width, projected, 0, scratch);
            System.arraycopy(projected, 0, sums, offset, rows * width);
        }
    }
}
