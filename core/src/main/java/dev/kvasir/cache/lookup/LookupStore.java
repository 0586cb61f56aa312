package dev.kvasir.cache.lookup;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.store.TokenRows;

/**
 * What holds all tokens of a cache that reads few: an exact cache row by row, so that a token costs the bytes it has; any
 * other as it is, of which whole runs of 32 tokens are read.
 *
 * @param spec complete and canonical
 */
public record LookupStore(CacheSpec spec) {
    private static final String EXACT = "exact";

    /** Whether it is read token by token. */
    public boolean byRows() {
        return spec.method().equals(EXACT);
    }

    private Element element() {
        return Element.of(spec.options().getOrDefault("dtype", ""));
    }

    /** What rounds a key as the store does, or as finely as nothing does where the store is of another kind. */
    public Element rounding() {
        return byRows() ? element() : Element.F32;
    }

    /** Bytes of one token in one KV head, where it is read by rows. */
    public long rowBytes(int headDim) {
        return 2L * headDim * element().bytes();
    }

    /**
     * How layers remember of which some tokens are read.
     *
     * @throws dev.kvasir.InvalidInputException if the spec's layers do not serve
     */
    public LayerFactory read(String user, CacheModel model) {
        return byRows()
                ? (layer, pool, kernels) -> new RowLayer(model.shape(), element(), pool, kernels)
                : whole(user, model);
    }

    /** How layers remember that are always read as a whole. Throws as {@link #read}. */
    public LayerFactory whole(String user, CacheModel model) {
        return Caches.layers(user, spec, model);
    }

    /** Bytes of all layers, of which the first {@code dense} are always read as a whole. */
    public Footprint estimate(CacheShape shape, int dense, int tokens) {
        if (!byRows() || dense == shape.layers()) {
            return Caches.estimate(spec, shape, tokens);
        }
        long head = TokenRows.bytes(element(), shape.headDim(), tokens);
        Footprint rows = new Footprint(head * (shape.layers() - dense) * shape.kvHeads(), 0, 0, 0, 0);
        if (dense == 0) {
            return rows;
        }
        CacheShape whole = shape.withLayers(dense);
        return rows.plus(Caches.estimate(spec, whole, tokens));
    }
}
