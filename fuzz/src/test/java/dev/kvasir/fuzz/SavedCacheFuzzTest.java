package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrated;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import java.io.ByteArrayInputStream;
import java.io.IOException;

/** Saved caches of every method, with their checksums mended; what is loaded then attends. */
class SavedCacheFuzzTest {
    private static final CacheModel MODEL = CacheSeeds.model();
    /** What a cache of any method has of its own, however few tokens it holds. */
    private static final int EMPTY_CACHE_BYTES = 1 << 14;

    @DictionaryFile(resourcePath = "cache.dict")
    @FuzzTest
    void loads(byte[] bytes) {
        byte[] mended = Mending.savedCache(bytes);
        Hostile.check(EMPTY_CACHE_BYTES + mended.length, () -> read(mended));
    }

    static void read(byte[] bytes) throws IOException {
        try (PagePool pool = new PagePool(CacheSeeds.POOL_BYTES);
                KvCache cache = Caches.load(
                        new ByteArrayInputStream(bytes), Calibrated.FINGERPRINT, MODEL, pool, Steps.sequential())) {
            cache.footprint();
            Steps.projected(CacheSeeds.SHAPE, 1).feed(cache, 1);
            Steps.projected(CacheSeeds.SHAPE, 1).feed(cache, 2);
        }
    }
}
