package dev.kvasir.cache.store;

/** Keys of all heads of a layer that can be restored a block of 32 tokens at a time, before RoPE. */
public interface KeyTiles {
    /** Tokens held. */
    int size();

    /**
     * Writes the keys of 32 slots as they were before RoPE; what it writes for slots beyond the size means nothing.
     *
     * @param slot a multiple of 32
     * @param tile receives {@code [kvHeads * headDim][32]}
     * @param scratch whose tile, lanes and work are free for use
     */
    void restore(int slot, float[] tile, Scratch scratch);
}
