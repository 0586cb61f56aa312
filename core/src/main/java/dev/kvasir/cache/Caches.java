package dev.kvasir.cache;

import dev.kvasir.tensor.Workers;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/** The registry of cache methods: makes caches from specs and lists what there is. */
public final class Caches {
    private Caches() {}

    /** A new, empty cache. */
    public static KvCache create(CacheSpec spec, CacheShape shape, PagePool pool, Workers workers) {
        throw new UnsupportedOperationException();
    }

    /** Reads what {@link KvCache#save} wrote; refuses another model's. */
    public static KvCache load(
            InputStream in, String modelFingerprint, CacheShape shape, PagePool pool, Workers workers)
            throws IOException {
        throw new UnsupportedOperationException();
    }

    /** Names of all methods. */
    public static List<String> methods() {
        return List.of();
    }
}
