package dev.kvasir.cache.store;

/** What one KV head reads of its keys: scores of queries against ranges of slots. */
public interface KeyReader {
    /** Slots that can be read. */
    int size();

    /** Numbers of a prepared query of a head of {@code headDim} channels. */
    default int queryWidth(int headDim) {
        return headDim;
    }

    /**
     * Brings queries into the form that {@link #scores} takes, once a step: this is where a change of basis of the stored
     * keys is made up for.
     *
     * @param queries {@code [rows][headDim]}, after RoPE and scaled
     * @param out receives {@code [rows][queryWidth]}
     * @param scratch whose {@link Scratch#lanes} are free for use
     */
    default void prepare(
            float[] queries, int offset, int rows, int headDim, float[] out, int outOffset, Scratch scratch) {
        System.arraycopy(queries, offset, out, outOffset, rows * headDim);
    }

    /**
     * Scores of slots {@code from} to {@code to - 1}: {@code out[r][i] = queries[r] . key[from + i]}.
     *
     * <p>May write up to 31 numbers more beyond each row's end, whose values mean nothing.
     *
     * @param queries the rows of one {@link #prepare}, as it laid them out
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

    /**
     * As {@link #scores}, of the slots {@code slots[from]} to {@code slots[to - 1]}, ascending: {@code out[r][i]} is that of
     * {@code slots[from + i]}. Reads whole runs of 32 slots unless a store knows better.
     */
    default void scoresOf(
            float[] queries,
            int queryOffset,
            int rows,
            int[] slots,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        Selected.scores(this, queries, queryOffset, rows, slots, from, to, out, outOffset, outStride, scratch);
    }
}
