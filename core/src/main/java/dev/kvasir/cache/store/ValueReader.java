package dev.kvasir.cache.store;

/** What one KV head reads of its values: weighted sums over ranges of slots. */
public interface ValueReader {
    /** Slots that can be read. */
    int size();

    /**
     * {@code out[r] += sum over i of weights[r][i] * value[from + i]}, for slots {@code from} to {@code to - 1}.
     *
     * @param weights {@code [rows]}, {@code weightStride} numbers apart
     * @param out {@code [rows][headDim]}
     */
    void addWeighted(
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch);

    /** Brings sums over all slots, {@code [rows][headDim]}, into the model's basis, once a step; the scratch's tile and lanes are free for use. */
    default void finish(float[] sums, int offset, int rows, Scratch scratch) {}
}
