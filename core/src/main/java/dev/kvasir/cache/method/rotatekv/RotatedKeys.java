package dev.kvasir.cache.method.rotatekv;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyTiles;
import dev.kvasir.cache.store.MatrixProduct;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.Scratch;

/** Packed keys of all heads of a layer in a {@link KeyBasis}, restored block by block. */
record RotatedKeys(PackedKeys packed, KeyBasis basis) implements KeyTiles {
    private static final int PANEL = Kernels.PANEL;

    @Override
    public int size() {
        return packed.size();
    }

    @Override
    public float factor() {
        return basis.factor();
    }

    @Override
    public void restore(int slot, float[] tile, Scratch scratch) {
        packed.unpackRows(slot, basis.order(), tile, scratch);
        basis.invert(tile);
    }

    /** Stores {@code count} more tokens, {@code rows[count][channels]} as the model has them. */
    void append(float[] rows, int count, Scratch scratch) {
        int width = basis.channels();
        for (int t = 0; t < count; ) {
            int run = Math.min(count - t, PANEL - packed.size() % PANEL);
            float[] turned = scratch.lanes(PANEL * width);
            System.arraycopy(rows, t * width, turned, 0, run * width);
            basis.apply(turned, run);
            packed.append(turned, 0, width, run, scratch);
            t += run;
        }
    }

    /** Stores {@code count} more tokens, made of {@code input [count][hiddenSize]} by projections that give them in this basis. */
    void append(MatrixProduct fused, float[] input, int count, Scratch scratch) {
        int width = basis.channels();
        for (int t = 0; t < count; ) {
            int run = Math.min(count - t, PANEL - packed.size() % PANEL);
            float[] rows = scratch.spare(PANEL * width);
            fused.ofRows(input, t * fused.inputs(), run, 0, width, rows, 0, scratch);
            packed.append(rows, 0, width, run, scratch);
            t += run;
        }
    }

    RotatedKeys fork() {
        return new RotatedKeys(packed.fork(), basis);
    }
}
