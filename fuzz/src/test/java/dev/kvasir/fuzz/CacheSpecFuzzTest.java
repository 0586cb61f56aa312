package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import java.nio.charset.StandardCharsets;

/** Cache specs: read, written, read again, made into a cache that then holds a few tokens. */
class CacheSpecFuzzTest {
    private static final CacheModel MODEL = CacheSeeds.model();
    private static final int TOKENS = 20;
    /** What an option may ask for within its bounds: tables, codebooks, rows of the newest tokens. */
    private static final long CACHE_BYTES = 64L << 20;

    @DictionaryFile(resourcePath = "cache.dict")
    @FuzzTest
    void becomesACache(byte[] bytes) {
        Hostile.check(CACHE_BYTES, () -> read(bytes));
    }

    static void read(byte[] bytes) {
        CacheSpec spec = CacheSpec.parse(new String(bytes, StandardCharsets.UTF_8));
        if (!CacheSpec.parse(spec.toString()).equals(spec)) {
            throw new AssertionError(spec + " is read as another");
        }
        Hostile.refusable(() -> Caches.estimate(spec, CacheSeeds.SHAPE, 1 << 20));
        try (PagePool pool = new PagePool(CacheSeeds.POOL_BYTES);
                KvCache cache = Caches.create(spec, MODEL, pool, Steps.sequential())) {
            Steps.projected(CacheSeeds.SHAPE, 1).feed(cache, TOKENS);
            Steps.projected(CacheSeeds.SHAPE, 1).feed(cache, 1);
        }
    }
}
