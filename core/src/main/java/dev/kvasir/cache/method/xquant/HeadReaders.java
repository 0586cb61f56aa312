package dev.kvasir.cache.method.xquant;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.AbsorbedValues;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.KeyTiles;
import dev.kvasir.cache.store.MatrixProduct;
import dev.kvasir.cache.store.RotatingKeys;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.tensor.RotaryTable;
import java.util.ArrayList;
import java.util.List;

/** What the heads of a layer read: keys made again tile by tile and turned by their own positions, sums in another space. */
record HeadReaders(List<KeyReader> keys, List<ValueReader> values) {
    /** Readers of latents, summed as they are stored. */
    static HeadReaders of(
            Kernels kernels,
            RotaryTable rotary,
            CacheShape shape,
            KeyTiles tiles,
            ValueReader summed,
            MatrixProduct values) {
        RotatingKeys rotating = new RotatingKeys(kernels, rotary, tiles, shape.kvHeads());
        return of(shape, rotating, summed, values);
    }

    /** Readers of inputs that lie beside the keys made of them. */
    static HeadReaders of(Kernels kernels, RotaryTable rotary, CacheShape shape, KeyTiles tiles, MatrixProduct values) {
        RotatingKeys rotating = new RotatingKeys(kernels, rotary, tiles, shape.kvHeads());
        int offset = XQuantPlan.outputs(shape) * Kernels.PANEL;
        return of(shape, rotating, new TileRows(kernels, rotating, offset, values.inputs(), tiles::size), values);
    }

    private static HeadReaders of(CacheShape shape, RotatingKeys keys, ValueReader summed, MatrixProduct values) {
        List<KeyReader> keyReaders = new ArrayList<>();
        List<ValueReader> valueReaders = new ArrayList<>();
        for (int h = 0; h < shape.kvHeads(); h++) {
            keyReaders.add(keys.head(h));
            valueReaders.add(new AbsorbedValues(summed, values, h * shape.headDim(), shape.headDim()));
        }
        return new HeadReaders(keyReaders, valueReaders);
    }
}
