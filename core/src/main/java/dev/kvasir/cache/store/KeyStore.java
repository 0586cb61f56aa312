package dev.kvasir.cache.store;

/** Tokens' keys; can score queries against them. */
public interface KeyStore extends TokenStore {
    /**
     * Scores of slots {@code from} to {@code to - 1}: {@code out[r][i] = queries[r] . key[from + i]}.
     *
     * <p>May write up to 31 numbers more beyond each row's end, whose values mean nothing.
     *
     * @param queries {@code [rows][headDim]}: the rows of all query heads that share this KV head, already scaled
     * @param from a multiple of 32, or of the tile of whoever asks
     */
    void scores(
            float[] queries,
            int queryOffset,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch);

    /** A second store with the same content, which shares this one's pages. */
    KeyStore fork();
}
