package dev.kvasir.cache.method.xquant;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.RotatingKeys;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import java.util.function.IntSupplier;

/**
 * Sums of the inputs that lie beside the keys made of them, {@code [32][width]}: what is restored once serves both sides of all
 * heads.
 *
 * @param keys what restores tiles
 * @param offset of the inputs in a tile
 * @param width of an input
 * @param slots how many there are
 */
record TileRows(Kernels kernels, RotatingKeys keys, int offset, int width, IntSupplier slots) implements ValueReader {
    private static final int PANEL = Kernels.PANEL;

    @Override
    public int size() {
        return slots.getAsInt();
    }

    @Override
    public int sumWidth(int headDim) {
        return width;
    }

    @Override
    public void addWeighted(
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch) {
        int slot = from;
        while (slot < to) {
            int first = slot / PANEL * PANEL;
            int end = Math.min(to, first + PANEL);
            float[] tile = keys.block(first, scratch);
            int at = offset + (slot - first) * width;
            int w = weightOffset + slot - from;
            kernels.sums(weights, w, weightStride, rows, tile, at, width, end - slot, width, out, outOffset, width);
            slot = end;
        }
    }
}
