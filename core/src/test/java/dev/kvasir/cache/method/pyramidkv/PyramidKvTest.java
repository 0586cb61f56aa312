package dev.kvasir.cache.method.pyramidkv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.selection.PlainWeights;
import dev.kvasir.tensor.Workers;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Budgets that fall from layer to layer, and heads that share their layer's. */
class PyramidKvTest {
    private static final CacheShape SHAPE = new CacheShape(4, 8, 4, 64, 16);
    private final Steps steps = new Steps(SHAPE, 11);
    private final PlainWeights plain = new PlainWeights(steps, SHAPE);

    private static SequenceCache create(String spec, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), SHAPE, pool, Steps.sequential());
    }

    @Test
    void layersKeepFewerTheHigherTheyAre() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("pyramidkv(budget=50, window=10, beta=4)", pool)) {
            steps.feed(cache, 300);
            // 40 beside the window on average, a quarter of it for the last layer, the rest of 80 for the first.
            int[] expected = {10 + 70, 10 + 50, 10 + 30, 10 + 10};
            for (int layer = 0; layer < 4; layer++) {
                for (int h = 0; h < 4; h++) {
                    assertThat(PlainWeights.kept(cache, layer, h)).hasSize(expected[layer]);
                }
            }
            steps.feed(cache, 1);
            assertThat(PlainWeights.kept(cache, 3, 1)).hasSize(21).contains(300);
        }
    }

    @Test
    void eachLayerKeepsWhatItsWindowAttendsToMost() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(
                        "pyramidkv(budget=40, window=6, beta=5, pooling=average, kernel=3, store=exact(f32))", pool)) {
            steps.feed(cache, 120);
            for (int layer : new int[] {0, 3}) {
                int size = PlainWeights.kept(cache, layer, 2).size();
                double[] sums = plain.window(layer, 2, 120, 6);
                double[] pooled = new double[114];
                for (int p = 0; p < 114; p++) {
                    for (int j = Math.max(0, p - 1); j < Math.min(114, p + 2); j++) {
                        pooled[p] += sums[j] / 3;
                    }
                }
                List<Integer> order = new ArrayList<>();
                for (int p = 0; p < 114; p++) {
                    order.add(p);
                }
                order.sort(Comparator.comparingDouble((Integer p) -> -pooled[p]));
                List<Integer> expected = new ArrayList<>(order.subList(0, size - 6));
                for (int p = 114; p < 120; p++) {
                    expected.add(p);
                }
                expected.sort(null);
                assertThat(PlainWeights.kept(cache, layer, 2)).isEqualTo(expected);
            }
        }
    }

    @Test
    void aPyramidOfOneSlopeIsSnapKv() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("pyramidkv(0.3, beta=1, window=16)", pool);
                SequenceCache snap = create("snapkv(0.3, window=16)", pool)) {
            for (int count : new int[] {150, 1, 70, 1, 1}) {
                assertThat(steps.feed(cache, count)).isEqualTo(steps.feed(snap, count));
            }
        }
    }

    /** Where the highest scores of a layer lie, each head has its safeguard anyway. */
    @Test
    void adaptiveHeadsShareTheirLayersBudgetByScore() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(
                        "snapkv(budget=30, window=5, pooling=none, heads=adaptive, safeguard=0.2, store=exact(f32))",
                        pool)) {
            steps.feed(cache, 130);
            record Scored(int head, int position, double score) {}
            List<Scored> all = new ArrayList<>();
            for (int h = 0; h < 4; h++) {
                double[] sums = plain.window(1, h, 130, 5);
                for (int p = 0; p < 125; p++) {
                    all.add(new Scored(h, p, sums[p]));
                }
            }
            all.sort(Comparator.comparingDouble(scored -> -scored.score()));
            int[] top = new int[4];
            all.subList(0, 4 * 25).forEach(scored -> top[scored.head()]++);
            assertThat(top[0] == 25 && top[1] == 25 && top[2] == 25).isFalse();
            int total = 0;
            for (int h = 0; h < 4; h++) {
                List<Integer> kept = PlainWeights.kept(cache, 1, h);
                total += kept.size();
                assertThat(kept.size() - 5.0).isBetween(0.8 * top[h] + 0.2 * 25 - 1, 0.8 * top[h] + 0.2 * 25 + 1);
                int head = h;
                Set<Integer> expected = new HashSet<>(List.of(125, 126, 127, 128, 129));
                all.stream()
                        .filter(scored -> scored.head() == head)
                        .limit(kept.size() - 5)
                        .forEach(scored -> expected.add(scored.position()));
                assertThat(kept).isSorted().hasSize(expected.size());
                assertThat(new HashSet<>(kept)).isEqualTo(expected);
            }
            assertThat(total).isEqualTo(4 * 30);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "snapkv(budget=60, window=5, heads=adaptive, store=exact(f32))",
                "pyramidkv(0.3, heads=adaptive, safeguard=0, store=block(q8_0))"
            })
    void adaptiveHeadsAttendToWhatTheyHold(String spec) {
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                SequenceCache cache = create(spec, pool);
                KvCache parallel = Caches.create(CacheSpec.parse(spec), SHAPE, pool, two)) {
            for (int count : new int[] {170, 1, 40, 1, 1}) {
                float[] expected = steps.expectedByReading(cache, count);
                float[] found = steps.feed(cache, count);
                Steps.assertClose(found, expected, 1e-4);
                assertThat(steps.feed(parallel, count)).isEqualTo(found);
                assertThat(pool.usedBytes()).isEqualTo(2 * cache.footprint().total());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"exact(f16)", "block(q4_0)", "kivi(k_axis=token, residual=0)"})
    void adaptiveHeadsHoldTheirLayersBudgetAndLessThanAPageMore(String store) {
        for (int tokens : new int[] {1, 40, 333, 1024}) {
            for (String method : new String[] {"snapkv(0.5, ", "pyramidkv(0.5, "}) {
                try (PagePool pool = Steps.pool();
                        SequenceCache cache = create(method + "heads=adaptive, store=" + store + ")", pool);
                        SequenceCache uniform = create(method + "store=" + store + ")", pool)) {
                    steps.feed(cache, tokens);
                    long held = pool.usedBytes();
                    assertThat(held).isEqualTo(cache.footprint().total());
                    Footprint estimate = Caches.estimate(cache.spec(), SHAPE, tokens);
                    // One page of each store of each head: what a single token takes.
                    long pages = Caches.estimateBytes(cache.spec(), SHAPE, 1);
                    assertThat(held).isBetween(estimate.total() - pages, estimate.total() + pages);
                    steps.feed(uniform, tokens);
                    for (int layer = 0; layer < 4; layer++) {
                        int sum = 0;
                        int sumUniform = 0;
                        for (int h = 0; h < 4; h++) {
                            sum += PlainWeights.kept(cache, layer, h).size();
                            sumUniform += PlainWeights.kept(uniform, layer, h).size();
                        }
                        assertThat(sum).isEqualTo(sumUniform);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "pyramidkv",
                "pyramidkv(budget=20, store=block(q5_1))",
                "pyramidkv(0.4, store=kivi(bits=4))",
                "snapkv(0.4, store=kivi)",
                "snapkv(0.3, store=kivi(bits=4, residual=32))"
            })
    void allocatesWhatTheFormulaSaysOfAPrompt(String spec) {
        for (int tokens : new int[] {1, 9, 64, 333, 1024, 1500}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = create(spec, pool)) {
                steps.feed(cache, tokens);
                Footprint estimate = Caches.estimate(cache.spec(), SHAPE, tokens);
                assertThat(cache.footprint()).isEqualTo(estimate);
                assertThat(pool.usedBytes()).isEqualTo(estimate.total());
            }
        }
    }

    @Test
    void aPromptInChunksEndsWithinTheBudget() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("pyramidkv(budget=60, beta=8)", pool);
                SequenceCache adaptive = create("pyramidkv(budget=60, beta=8, heads=adaptive)", pool)) {
            for (int i = 0; i < 10; i++) {
                steps.feed(cache, 64);
                steps.feed(adaptive, 64);
            }
            int sum = 0;
            int sumAdaptive = 0;
            for (int layer = 0; layer < 4; layer++) {
                for (int h = 0; h < 4; h++) {
                    sum += PlainWeights.kept(cache, layer, h).size();
                    sumAdaptive += PlainWeights.kept(adaptive, layer, h).size();
                    assertThat(PlainWeights.kept(adaptive, layer, h)).isSorted().contains(639, 632);
                }
            }
            assertThat(sum).isEqualTo(4 * 4 * 60);
            assertThat(sumAdaptive).isEqualTo(4 * 4 * 60);
        }
    }

    @Test
    void saysWhatIsNotPossible() {
        assertThatThrownBy(() -> create("pyramidkv(beta=0)", Steps.pool()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("pyramidkv: beta=0");
        assertThatThrownBy(() -> create("pyramidkv(heads=adaptive, store=kivi)", Steps.pool()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("pyramidkv has heads that keep different numbers of tokens, but kivi");
        assertThatThrownBy(() -> create("snapkv(heads=adaptive, safeguard=1.5)", Steps.pool()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("safeguard=1.5");
        assertThatThrownBy(() -> create("pyramidkv(kernel=4)", Steps.pool()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("pyramidkv: kernel=4");
    }
}
