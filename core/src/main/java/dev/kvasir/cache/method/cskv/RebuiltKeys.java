package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyTiles;
import dev.kvasir.cache.store.Scratch;

/**
 * Keys before RoPE of all heads, rebuilt from their latents a panel at a time.
 *
 * @param rows {@code B} as {@code [kvHeads * headDim][rank]}
 */
record RebuiltKeys(Latents latents, float[] rows) implements KeyTiles {
    @Override
    public int size() {
        return latents.store().size();
    }

    @Override
    public void restore(int slot, float[] tile, Scratch scratch) {
        Factors factors = latents.factors();
        int rank = factors.rank();
        float[] panel = scratch.tile(rank * Kernels.PANEL);
        latents.panel(slot, panel, scratch);
        latents.kernels().dots(rows, 0, rank, factors.outputs(), panel, 0, rank, tile, 0, Kernels.PANEL);
    }
}
