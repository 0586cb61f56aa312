package dev.kvasir.cache.method.exact;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExactTest {
    private static final CacheShape SHAPE = new CacheShape(2, 4, 2, 64, 32);
    private final Steps steps = new Steps(SHAPE, 17);

    private static KvCache cache(String spec, PagePool pool) {
        return Caches.create(CacheSpec.parse(spec), SHAPE, pool, Steps.sequential());
    }

    @ParameterizedTest
    @CsvSource({"exact, 32", "exact(f32), 32", "exact(bf16), 16", "exact(f16), 16"})
    void everyElementCostsTheBitsOfItsType(String spec, int bits) {
        try (PagePool pool = Steps.pool();
                KvCache cache = cache(spec, pool)) {
            steps.feed(cache, 256);
            assertThat(cache.footprint().bitsPerElement(SHAPE, 256)).isEqualTo(bits);
            assertThat(pool.usedBytes()).isEqualTo(cache.footprint().total());
        }
    }

    @Test
    void aTokenReadsTheSameFromTheCacheHoweverTheOthersCame() {
        try (PagePool pool = Steps.pool();
                KvCache atOnce = cache("exact(f32)", pool);
                KvCache oneByOne = cache("exact(f32)", pool)) {
            steps.feed(atOnce, 97);
            for (int i = 0; i < 97; i++) {
                steps.feed(oneByOne, 1);
            }
            assertThat(steps.feed(atOnce, 1)).isEqualTo(steps.feed(oneByOne, 1));
        }
    }

    @Test
    void anyNumberOfTokensCanBeTakenBack() {
        try (PagePool pool = Steps.pool();
                KvCache cache = cache("exact(f16)", pool);
                KvCache fresh = cache("exact(f16)", pool)) {
            steps.feed(cache, 300);
            assertThat(cache.rollbackLimit()).isEqualTo(300);
            cache.rollback(300);
            assertThat(cache.length()).isZero();
            assertThat(steps.feed(cache, 40)).isEqualTo(steps.feed(fresh, 40));
            assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(fresh, 1));
        }
    }
}
