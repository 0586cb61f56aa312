package dev.kvasir.cache.store;

import dev.kvasir.cache.kernel.Kernels;

/** Keys that can be read back and replaced one by one. */
public interface RowKeys extends KeyStore, RowStore {
    /**
     * Writes the keys of 32 slots as they would be decoded to {@code tile[headDim][32]}; what it writes for slots beyond the
     * size means nothing.
     *
     * @param slot a multiple of 32
     * @param scratch whose work and spare are free for use
     */
    default void panel(int slot, int headDim, float[] tile, int offset, Scratch scratch) {
        float[] row = scratch.spare(headDim);
        int count = Math.min(Kernels.PANEL, size() - slot);
        for (int i = 0; i < count; i++) {
            row(slot + i, row, 0, scratch);
            for (int c = 0; c < headDim; c++) {
                tile[offset + c * Kernels.PANEL + i] = row[c];
            }
        }
    }

    @Override
    RowKeys fork();
}
