package dev.kvasir.cache.method.minicache;

import dev.kvasir.cache.attention.HeadStores;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.HeadTiles;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.KeyStore;
import dev.kvasir.cache.store.RotatingKeys;
import java.util.ArrayList;
import java.util.List;

/** How stored directions of keys are read: as they are, or turned as they are read. */
final class StoredKeys {
    private StoredKeys() {}

    /** The readers of all heads, which both layers share. */
    static KeyReader[] readers(Pairs pairs, Kernels kernels, HeadStores directions) {
        int kvHeads = pairs.plan().kvHeads();
        KeyReader[] readers = new KeyReader[kvHeads];
        for (int h = 0; h < kvHeads; h++) {
            readers[h] = directions.keys(h);
        }
        pairs.rotary().ifPresent(table -> {
            List<KeyStore> stores = new ArrayList<>();
            for (int h = 0; h < kvHeads; h++) {
                stores.add(directions.head(h).keys());
            }
            RotatingKeys turned = new RotatingKeys(
                    kernels, table, new HeadTiles(stores, pairs.plan().headDim()), kvHeads);
            for (int h = 0; h < kvHeads; h++) {
                readers[h] = turned.head(h);
            }
        });
        return readers;
    }
}
