package dev.kvasir.cache.attention;

import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.transform.Transform;

/** What a method decides: the stores of each head, and the basis they are in. */
public interface HeadFactory {
    /** The empty stores of one KV head of one layer. */
    Head head(int layer, int kvHead, PagePool pool, Kernels kernels);

    /** The basis keys are stored in. */
    default Transform keyTransform() {
        return Transform.NONE;
    }

    /** The basis values are stored in. */
    default Transform valueTransform() {
        return Transform.NONE;
    }
}
