package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrated;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.MadeUpWeights;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.format.CalibrationFile;
import dev.kvasir.format.SafetensorsFile;
import java.nio.file.Path;

/** Calibration files with their lengths mended, given to the method they name; its cache then holds a few tokens. */
class CalibrationFuzzTest {
    private static final Path FILE = Hostile.folder().resolve("calibration.safetensors");
    private static final int TOKENS = 40;
    /** What a cache of any method has of its own. */
    private static final int CACHE_BYTES = 1 << 16;

    @DictionaryFile(resourcePath = "model.dict")
    @FuzzTest
    void calibrates(byte[] bytes) {
        byte[] mended = Mending.safetensors(bytes);
        Hostile.check(CACHE_BYTES + mended.length, () -> read(mended));
    }

    static void read(byte[] bytes) {
        Hostile.write(FILE, bytes);
        String method = SafetensorsFile.open(FILE).metadata().getOrDefault("kvasir.method", "");
        Calibration calibration = CalibrationFile.read(FILE, method, Calibrated.FINGERPRINT);
        CacheModel model = MadeUpWeights.model(CacheSeeds.SHAPE, (user, file) -> calibration);
        Caches.method(method);
        try (PagePool pool = new PagePool(CacheSeeds.POOL_BYTES);
                KvCache cache = Caches.create(CacheSpec.parse(method), model, pool, Steps.sequential())) {
            Steps.projected(CacheSeeds.SHAPE, 1).feed(cache, TOKENS);
            Steps.projected(CacheSeeds.SHAPE, 1).feed(cache, 1);
        }
    }
}
