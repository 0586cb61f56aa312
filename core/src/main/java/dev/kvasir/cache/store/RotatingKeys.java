package dev.kvasir.cache.store;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.tensor.RotaryBlock;
import dev.kvasir.tensor.RotaryTable;

/**
 * Reads keys that are stored before RoPE: a block of 32 tokens is restored and turned for all heads at once, held for the
 * heads that follow, and scored against queries turned back by the block's position. Slot {@code i} is position {@code i}.
 *
 * <p>The layer must {@linkplain dev.kvasir.cache.attention.LayerStore#readsHeadsTogether read its heads together}, or every
 * head restores every block again.
 */
public final class RotatingKeys {
    private static final int PANEL = RotaryBlock.TOKENS;

    private final Kernels kernels;
    private final RotaryTable table;
    private final RotaryBlock rotary;
    private final KeyTiles keys;
    private final int headDim;
    private final int kvHeads;

    /** Reads {@code keys} under the rotary embedding of {@code table}. */
    public RotatingKeys(Kernels kernels, RotaryTable table, KeyTiles keys, int kvHeads) {
        this.kernels = kernels;
        this.table = table;
        this.rotary = new RotaryBlock(table, keys.factor());
        this.keys = keys;
        this.headDim = table.headDim();
        this.kvHeads = kvHeads;
    }

    /** The keys of one head. */
    public KeyReader head(int kvHead) {
        return new Reader(kvHead);
    }

    /**
     * The turned keys of 32 slots, {@code [kvHeads * headDim][32]}, followed by what {@linkplain KeyTiles#beside lies beside
     * them}.
     *
     * @param slot a multiple of 32
     */
    public float[] block(int slot, Scratch scratch) {
        if (scratch.holds(this, slot)) {
            return scratch.held();
        }
        float[] tile = scratch.hold(this, slot, kvHeads * headDim * PANEL + keys.beside());
        keys.restore(slot, tile, scratch);
        for (int h = 0; h < kvHeads; h++) {
            rotary.turn(tile, h * headDim * PANEL);
        }
        return tile;
    }

    private final class Reader implements KeyReader {
        private final int kvHead;

        Reader(int kvHead) {
            this.kvHead = kvHead;
        }

        @Override
        public int size() {
            return keys.size();
        }

        @Override
        public void scores(
                float[] queries,
                int queryOffset,
                int rows,
                int from,
                int to,
                float[] out,
                int outOffset,
                int outStride,
                Scratch scratch) {
            table.reach(to);
            for (int slot = from; slot < to; slot += PANEL) {
                float[] tile = block(slot, scratch);
                float[] turned = scratch.lanes(rows * headDim);
                rotary.turnBack(slot, queries, queryOffset, rows, turned, 0);
                int o = outOffset + slot - from;
                kernels.dots(turned, 0, headDim, rows, tile, kvHead * headDim * PANEL, headDim, out, o, outStride);
            }
        }
    }
}
