package dev.kvasir.cache.store;

/** Tokens' values; can add a weighted sum of them. */
public interface ValueStore extends TokenStore {
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

    /** A second store with the same content, which shares this one's pages. */
    ValueStore fork();
}
