package dev.kvasir.cache.attention;

import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;

/** What a method decides: how layers remember. */
@FunctionalInterface
public interface LayerFactory {
    /** The empty group that begins with {@code layer}; the next one is asked for with the layer after its last. */
    LayerGroup group(int layer, PagePool pool, Kernels kernels);
}
