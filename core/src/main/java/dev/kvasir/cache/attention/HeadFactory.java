package dev.kvasir.cache.attention;

import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.transform.Transform;

/** What a method decides whose heads remember by themselves: the stores of each head, and the basis they are in. */
@FunctionalInterface
public interface HeadFactory {
    /** The empty stores of one KV head of one layer. */
    Head head(int layer, int kvHead, PagePool pool, Kernels kernels);

    /** The basis keys of a head are stored in. */
    default Transform keyTransform(int layer, int kvHead) {
        return Transform.NONE;
    }

    /** The basis values of a head are stored in. */
    default Transform valueTransform(int layer, int kvHead) {
        return Transform.NONE;
    }
}
