package dev.kvasir.cache;

import java.io.DataInput;
import java.io.IOException;

/** A cache that can be filled with the content of a saved one; the other half of {@link KvCache#save}. */
public interface RestorableCache extends KvCache {
    /**
     * Fills this empty cache.
     *
     * @throws CacheFileException if the content cannot be of a cache of this spec and shape
     * @throws CacheBudgetException if the pool cannot hold it
     */
    void restore(DataInput in, int tokens) throws IOException;
}
