package dev.kvasir.cache.selection;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.RecentKeys;
import dev.kvasir.cache.store.RecentValues;
import dev.kvasir.cache.store.RowKeys;
import dev.kvasir.cache.store.RowValues;
import dev.kvasir.cache.transform.Transform;

/** The option {@code recent_exact}: the newest tokens of a head in F16 before its store, which takes each when it leaves them. */
public final class RecentExact {
    private static final Element ELEMENT = Element.F16;

    private RecentExact() {}

    /** The option, {@code none} by default. */
    public static CacheOption option() {
        return CacheOption.number(
                "recent_exact", 0, "newest tokens that stay exact before the store takes them", "any number");
    }

    /**
     * {@code heads} with their newest {@code tokens} tokens before them; the same if those are none.
     *
     * @param method whose heads they are and {@code stores} what their store is called, for errors
     * @throws InvalidInputException once a head is made, if its store does not hold tokens one by one
     */
    public static HeadFactory heads(String method, String stores, HeadFactory heads, int headDim, int tokens) {
        return tokens == 0 ? heads : new Heads(method, stores, heads, headDim, tokens);
    }

    /**
     * Bytes of layers of {@code slots} slots a head, whose newest {@code tokens} are exact and never go before they are the
     * oldest of them.
     */
    public static Footprint estimate(CacheSpec store, CacheShape shape, int slots, int tokens) {
        Footprint rest = Caches.estimate(store, shape, Math.max(0, slots - tokens));
        if (tokens == 0) {
            return rest;
        }
        long side = RecentKeys.bytes(ELEMENT, shape.headDim(), tokens, slots);
        return rest.plus(new Footprint(0, 0, 2 * side * shape.layers() * shape.kvHeads(), 0, 0));
    }

    private record Heads(String method, String stores, HeadFactory heads, int headDim, int tokens)
            implements HeadFactory {
        @Override
        public Head head(int layer, int kvHead, PagePool pool, Kernels kernels) {
            Head head = heads.head(layer, kvHead, pool, kernels);
            if (head.keys() instanceof RowKeys keys && head.values() instanceof RowValues values) {
                return new Head(
                        new RecentKeys(keys, pool, kernels, ELEMENT, headDim, tokens),
                        new RecentValues(values, pool, kernels, ELEMENT, headDim, tokens));
            }
            throw new InvalidInputException(method + ": recent_exact=" + tokens + " is not possible with " + stores
                    + ", which does not store tokens one by one");
        }

        @Override
        public Transform keyTransform(int layer, int kvHead) {
            return heads.keyTransform(layer, kvHead);
        }

        @Override
        public Transform valueTransform(int layer, int kvHead) {
            return heads.valueTransform(layer, kvHead);
        }
    }
}
