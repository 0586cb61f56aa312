package dev.kvasir.lab.info;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.compare.DefaultCaches;
import java.util.List;
import org.junit.jupiter.api.Test;

class CacheEstimateTest {
    private static final CacheShape SHAPE = new CacheShape(3, 4, 2, 128, 512);

    @Test
    void kiviTakesWhatItsPaperSays() {
        CacheEstimate kivi = CacheEstimate.of(List.of(CacheSpec.parse("kivi(bits=2)")), SHAPE, List.of(4096))
                .getFirst();
        assertThat(kivi.contexts().getFirst().bitsPerElement()).isCloseTo(3.2, within(0.3));
    }

    @Test
    void everyDefaultCacheHasAnEstimateAtEveryContext() {
        List<CacheEstimate> estimates = CacheEstimate.of(DefaultCaches.all(), SHAPE, List.of(1024, 4096));
        assertThat(estimates).hasSameSizeAs(DefaultCaches.all()).allSatisfy(estimate -> {
            assertThat(estimate.unfit()).isEmpty();
            assertThat(estimate.contexts().stream().map(CacheEstimate.AtContext::tokens))
                    .containsExactly(1024, 4096);
        });
        assertThat(estimates.getFirst().contexts().getLast().bytes()).isEqualTo(4096L * 3 * 2 * 2 * 128 * 4);
        assertThat(estimates.get(2).contexts().getLast().bitsPerElement()).isCloseTo(8.5, within(1e-9));
    }

    @Test
    void countsWhatIsMadeOfTheWeightsByItself() {
        List<CacheEstimate> estimates =
                CacheEstimate.of(List.of(CacheSpec.parse("xquant"), CacheSpec.parse("exact")), SHAPE, List.of(128));
        assertThat(estimates.getFirst().weightBytes()).isEqualTo(3L * 2 * 4 * 256 * (512 + 256));
        assertThat(estimates.getLast().weightBytes()).isZero();
    }

    @Test
    void saysWhyACacheDoesNotFit() {
        CacheShape odd = new CacheShape(3, 4, 2, 48, 192);
        CacheEstimate estimate = CacheEstimate.of(List.of(CacheSpec.parse("kivi(bits=2, group=32)")), odd, List.of(64))
                .getFirst();
        assertThat(estimate.contexts()).isEmpty();
        assertThat(estimate.unfit()).get().asString().contains("48");
    }
}
