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

    /** Numbers of a sum: those of a head, unless sums are made in a space of the values' own. */
    default int sumWidth(int headDim) {
        return headDim;
    }

    /**
     * Brings sums {@code [rows][sumWidth]} over all slots to {@code out [rows][headDim]}, once a step and before {@link #finish};
     * only where {@link #sumWidth} is not the head's.
     */
    default void project(float[] sums, int offset, int rows, int headDim, float[] out, int outOffset, Scratch scratch) {
        throw new IllegalStateException("sums are of the head's width");
    }

    /**
     * As {@link #addWeighted}, for the slots {@code slots[from]} to {@code slots[to - 1]}, ascending; {@code weights[r][i]}
     * is that of {@code slots[from + i]}. Reads whole runs of 32 slots unless a store knows better.
     */
    default void addWeightedOf(
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int[] slots,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch) {
        Selected.addWeighted(this, weights, weightOffset, weightStride, rows, slots, from, to, out, outOffset, scratch);
    }
}
