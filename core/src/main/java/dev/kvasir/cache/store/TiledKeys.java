package dev.kvasir.cache.store;

import dev.kvasir.cache.kernel.Kernels;

/**
 * Reads keys that are stored after RoPE but in a basis of all heads: a block of 32 tokens is restored for all heads at once
 * and held for the heads that follow. {@link RotatingKeys} is the same for keys before RoPE.
 *
 * <p>The layer must {@linkplain dev.kvasir.cache.attention.LayerStore#readsHeadsTogether read its heads together}, or every
 * head restores every block again.
 */
public final class TiledKeys {
    private static final int PANEL = Kernels.PANEL;

    private final Kernels kernels;
    private final KeyTiles keys;
    private final int headDim;
    private final int kvHeads;

    /** Reads {@code keys} of {@code kvHeads} heads of {@code headDim} channels. */
    public TiledKeys(Kernels kernels, KeyTiles keys, int kvHeads, int headDim) {
        this.kernels = kernels;
        this.keys = keys;
        this.headDim = headDim;
        this.kvHeads = kvHeads;
    }

    /** The keys of one head. */
    public KeyReader head(int kvHead) {
        return new Reader(kvHead);
    }

    private float[] block(int slot, Scratch scratch) {
        if (scratch.holds(this, slot)) {
            return scratch.held();
        }
        float[] tile = scratch.hold(this, slot, kvHeads * headDim * PANEL);
        keys.restore(slot, tile, scratch);
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
            for (int slot = from; slot < to; slot += PANEL) {
                float[] tile = block(slot, scratch);
                float[] scaled = scratch.lanes(rows * headDim);
                for (int i = 0; i < rows * headDim; i++) {
                    scaled[i] = queries[queryOffset + i] * keys.factor();
                }
                int o = outOffset + slot - from;
                kernels.dots(scaled, 0, headDim, rows, tile, kvHead * headDim * PANEL, headDim, out, o, outStride);
            }
        }
    }
}
