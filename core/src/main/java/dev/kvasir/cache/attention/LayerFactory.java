package dev.kvasir.cache.attention;

import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;

/** What a method decides: how a layer remembers. */
@FunctionalInterface
public interface LayerFactory {
    /** An empty layer. */
    LayerStore layer(int layer, PagePool pool, Kernels kernels);
}
