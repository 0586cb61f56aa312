package dev.kvasir.cache.store;

/** Keys of all heads of a layer that can be restored a block of 32 tokens at a time. */
public interface KeyTiles {
    /** Tokens held. */
    int size();

    /** What restored keys must still be multiplied by. */
    default float factor() {
        return 1;
    }

    /** Numbers that {@link #restore} writes after the keys, for whoever else reads the tile. */
    default int beside() {
        return 0;
    }

    /**
     * Writes the keys of 32 slots as they were stored; what it writes for slots beyond the size means nothing.
     *
     * @param slot a multiple of 32
     * @param tile receives {@code [kvHeads * headDim][32]}, then what is {@link #beside}
     * @param scratch whose tile, lanes and work are free for use
     */
    void restore(int slot, float[] tile, Scratch scratch);
}
