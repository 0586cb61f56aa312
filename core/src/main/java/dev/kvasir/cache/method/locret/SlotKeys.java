package dev.kvasir.cache.method.locret;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.RowKeys;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.transform.Transform;
import dev.kvasir.tensor.RotaryBlock;
import dev.kvasir.tensor.RotaryTable;

/**
 * Reads one head's keys, stored before RoPE, as if the token in slot {@code i} stood at position {@code i}: what is gone leaves
 * no gap. Queries come rotated by their true positions; those of a step are all turned back by the number of tokens that are
 * gone, so that token {@code t} of the step stands at {@code slots + t}.
 *
 * <pre>
 *   score = &lt;R(position - gone) q, R(slot) k&gt;
 * </pre>
 */
final class SlotKeys implements KeyReader {
    private static final int PANEL = Kernels.PANEL;

    private final Kernels kernels;
    private final RotaryTable table;
    private final RotaryBlock rotary;
    private final RowKeys keys;
    private final Transform basis;
    private int gone;

    /** Reads {@code keys}, stored in {@code basis}. */
    SlotKeys(Kernels kernels, RotaryTable table, RotaryBlock rotary, RowKeys keys, Transform basis) {
        this.kernels = kernels;
        this.table = table;
        this.rotary = rotary;
        this.keys = keys;
        this.basis = basis;
    }

    /** Turns to a step before which {@code tokens} tokens are gone. */
    void gone(int tokens) {
        gone = tokens;
        table.reach(tokens);
    }

    @Override
    public int size() {
        return keys.size();
    }

    @Override
    public void prepare(
            float[] queries, int offset, int rows, int headDim, float[] out, int outOffset, Scratch scratch) {
        if (gone == 0) {
            System.arraycopy(queries, offset, out, outOffset, rows * headDim);
        } else {
            rotary.turnBack(gone, queries, offset, rows, out, outOffset);
        }
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
        int headDim = table.headDim();
        table.reach(to);
        for (int slot = from; slot < to; slot += PANEL) {
            float[] tile = scratch.tile(headDim * PANEL);
            keys.panel(slot, headDim, tile, 0, scratch);
            if (!basis.isNone()) {
                turnFromBasis(tile, headDim, Math.min(PANEL, keys.size() - slot), scratch);
            }
            float[] turned = scratch.lanes(rows * headDim);
            rotary.turnBack(slot, queries, queryOffset, rows, turned, 0);
            int o = outOffset + slot - from;
            if (rows == 1) {
                rotary.dots(turned, 0, tile, 0, out, o);
            } else {
                rotary.turn(tile, 0);
                kernels.dots(turned, 0, headDim, rows, tile, 0, headDim, out, o, outStride);
            }
        }
    }

    private void turnFromBasis(float[] tile, int headDim, int count, Scratch scratch) {
        float[] row = scratch.lanes(headDim);
        for (int i = 0; i < count; i++) {
            for (int c = 0; c < headDim; c++) {
                row[c] = tile[c * PANEL + i];
            }
            basis.invert(row, 0, 1);
            for (int c = 0; c < headDim; c++) {
                tile[c * PANEL + i] = row[c];
            }
        }
    }
}
