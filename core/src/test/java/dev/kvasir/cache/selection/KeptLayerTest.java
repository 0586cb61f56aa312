package dev.kvasir.cache.selection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tokens that stay: the right ones, whole, and attended to as if there had never been others. */
class KeptLayerTest {
    private static final CacheShape SHAPE = new CacheShape(2, 4, 2, 64, 16);
    private final Steps steps = new Steps(SHAPE, 3);

    private static SequenceCache create(String spec, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), SHAPE, pool, Steps.sequential());
    }

    private static KeptLayer layer(SequenceCache cache, int layer) {
        return (KeptLayer) cache.store(layer);
    }

    private static List<Integer> positions(SequenceCache cache, int layer, int kvHead) {
        List<Integer> positions = new ArrayList<>();
        for (int slot = 0; slot < cache.store(layer).keys(kvHead).size(); slot++) {
            positions.add(layer(cache, layer).position(kvHead, slot));
        }
        return positions;
    }

    /** Weights of a token over those of the given positions and itself and the step's own before it, {@code group} heads summed. */
    private Map<Integer, Double> weights(
            int layer, int kvHead, List<Integer> kept, int first, int token, float[] sumOut) {
        int d = SHAPE.headDim();
        int g = SHAPE.queriesPerKvHead();
        List<Integer> seen = new ArrayList<>(kept);
        for (int t = 0; t <= token; t++) {
            seen.add(first + t);
        }
        float[] q = steps.queries(layer, first + token, 1).queries();
        Map<Integer, Double> sums = new HashMap<>();
        for (int h = 0; h < g; h++) {
            double[] weight = new double[seen.size()];
            double total = 0;
            for (int i = 0; i < weight.length; i++) {
                float[] k = steps.states(layer, seen.get(i), 1).keys();
                double score = 0;
                for (int c = 0; c < d; c++) {
                    score += q[(kvHead * g + h) * d + c] * (double) k[kvHead * d + c];
                }
                weight[i] = Math.exp(score / Math.sqrt(d));
                total += weight[i];
            }
            for (int i = 0; i < weight.length; i++) {
                sums.merge(seen.get(i), weight[i] / total, Double::sum);
                float[] v = steps.states(layer, seen.get(i), 1).values();
                for (int c = 0; c < d; c++) {
                    sumOut[h * d + c] += (float) (weight[i] / total * v[kvHead * d + c]);
                }
            }
        }
        return sums;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "h2o(budget=20, store=exact(f32))",
                "h2o(0.3, recent=0.25, store=exact(f32))",
                "snapkv(budget=24, window=6, store=exact(f32))"
            })
    void attendsToExactlyWhatIsKept(String spec) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, pool)) {
            for (int count : new int[] {50, 1, 1, 7, 1}) {
                int first = cache.length();
                List<List<Integer>> kept = new ArrayList<>();
                for (int layer = 0; layer < 2; layer++) {
                    for (int h = 0; h < 2; h++) {
                        kept.add(positions(cache, layer, h));
                    }
                }
                float[] found = steps.feed(cache, count);
                float[] expected = new float[found.length];
                for (int layer = 0; layer < 2; layer++) {
                    for (int h = 0; h < 2; h++) {
                        for (int t = 0; t < count; t++) {
                            float[] out = new float[2 * 64];
                            weights(layer, h, kept.get(layer * 2 + h), first, t, out);
                            System.arraycopy(out, 0, expected, ((layer * count + t) * 4 + h * 2) * 64, 128);
                        }
                    }
                }
                Steps.assertClose(found, expected, 1e-5);
            }
        }
    }

    @Test
    void heavyHittersAreThoseOfAPlainImplementation() {
        int budget = 24;
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("h2o(budget=24, store=exact(f32))", pool)) {
            Map<Integer, Double> sums = new HashMap<>();
            List<Integer> kept = new ArrayList<>();
            for (int count : new int[] {40, 1, 1, 1, 5, 1, 1}) {
                int first = cache.length();
                steps.feed(cache, count);
                for (int t = 0; t < count; t++) {
                    weights(1, 1, kept, first, t, new float[128]).forEach((p, w) -> sums.merge(p, w, Double::sum));
                }
                for (int t = 0; t < count; t++) {
                    kept.add(first + t);
                }
                int seen = first + count;
                List<Integer> recent =
                        kept.stream().filter(p -> p >= seen - budget / 2).toList();
                List<Integer> heavy = kept.stream()
                        .filter(p -> p < seen - budget / 2)
                        .sorted(Comparator.comparingDouble((Integer p) -> -sums.getOrDefault(p, 0.0)))
                        .limit(Math.max(0, budget - recent.size()))
                        .toList();
                kept = new ArrayList<>(recent);
                kept.addAll(heavy);
                assertThat(positions(cache, 1, 1)).containsExactlyInAnyOrderElementsOf(kept);
            }
        }
    }

    @Test
    void snapKvKeepsWhatItsWindowAttendsToAndTheNeighbours() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("snapkv(budget=30, window=4, kernel=5, store=exact(f32))", pool)) {
            steps.feed(cache, 90);
            double[] sums = new double[86];
            for (int t = 86; t < 90; t++) {
                weights(0, 1, List.of(), 0, t, new float[128]).forEach((p, w) -> {
                    if (p < 86) {
                        sums[p] += w;
                    }
                });
            }
            List<Integer> order = new ArrayList<>();
            double[] pooled = new double[86];
            for (int p = 0; p < 86; p++) {
                order.add(p);
                for (int j = Math.max(0, p - 2); j < Math.min(86, p + 3); j++) {
                    pooled[p] = Math.max(pooled[p], sums[j]);
                }
            }
            // Neighbours share a maximum: of equals the newer stays.
            order.sort(Comparator.comparingDouble((Integer p) -> -(float) pooled[p])
                    .thenComparingInt(p -> -p));
            List<Integer> expected = new ArrayList<>(order.subList(0, 26));
            expected.addAll(List.of(86, 87, 88, 89));
            expected.sort(null);
            assertThat(positions(cache, 0, 1)).isEqualTo(expected);
            steps.feed(cache, 1);
            assertThat(positions(cache, 0, 1)).hasSize(31).endsWith(90);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "exact(f16)",
                "block(q4_0)",
                "block(q5_1)",
                "block(q8_0, rotate=true)",
                "kivi(k_axis=token, residual=0)"
            })
    void aTokenStaysBitByBitWhatItWasStoredAs(String store) {
        try (PagePool pool = Steps.pool();
                SequenceCache whole = create(store, pool);
                SequenceCache cache = create("snapkv(budget=20, window=4, store=" + store + ")", pool)) {
            steps.feed(whole, 40);
            steps.feed(cache, 40);
            steps.feed(whole, 33);
            steps.feed(cache, 33);
            float[] one = new float[64];
            float[] other = new float[64];
            for (int h = 0; h < 2; h++) {
                List<Integer> kept = positions(cache, 1, h);
                assertThat(kept).hasSize(20).isSorted();
                for (int slot = 0; slot < 20; slot++) {
                    dev.kvasir.cache.store.RowStore a = (dev.kvasir.cache.store.RowStore)
                            layer(cache, 1).store().head(h).keys();
                    dev.kvasir.cache.store.RowStore b =
                            (dev.kvasir.cache.store.RowStore) whole.head(1, h).keys();
                    a.row(slot, one, 0, new dev.kvasir.cache.store.Scratch());
                    b.row(kept.get(slot), other, 0, new dev.kvasir.cache.store.Scratch());
                    assertThat(one).isEqualTo(other);
                    ((dev.kvasir.cache.store.RowStore)
                                    layer(cache, 1).store().head(h).values())
                            .row(slot, one, 0, new dev.kvasir.cache.store.Scratch());
                    ((dev.kvasir.cache.store.RowStore) whole.head(1, h).values())
                            .row(kept.get(slot), other, 0, new dev.kvasir.cache.store.Scratch());
                    assertThat(one).isEqualTo(other);
                }
            }
        }
    }

    @Test
    void aStoreThatCannotLetGoKeepsWhatItHas() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("snapkv(0.25, window=4, store=kivi(bits=4, residual=32))", pool)) {
            steps.feed(cache, 200);
            List<Integer> before = positions(cache, 0, 0);
            assertThat(before).hasSize(50);
            steps.feed(cache, 100);
            assertThat(positions(cache, 0, 0)).hasSize(75).containsAll(before).isSorted();
        }
        assertThatThrownBy(() -> create("h2o(store=kivi)", Steps.pool()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("h2o lets single tokens go, but kivi");
        assertThatThrownBy(() -> create("h2o(store=gear)", Steps.pool()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("h2o cannot store in gear")
                .hasMessageContaining("exact, kivi, block");
    }

    @ParameterizedTest
    @ValueSource(strings = {"kivi(bits=4)", "kivi(residual=64)", "saq(segment=32)", "bfp", "turboquant"})
    void storesWithWindowsTakePromptsOfAnyLength(String store) {
        for (int prompt : new int[] {60, 333, 511, 700}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = create("snapkv(0.25, window=8, store=" + store + ")", pool)) {
                for (int count : new int[] {prompt, 1, 130, 1, 1}) {
                    float[] expected = steps.expectedByReading(cache, count);
                    Steps.assertClose(steps.feed(cache, count), expected, 1e-4);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"h2o(1)", "snapkv(1)", "h2o(budget=500)", "snapkv(budget=500)"})
    void withoutNeedNothingGoesAndOutputsAreTheStores(String spec) {
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, pool);
                KvCache plain = create("exact(f16)", pool)) {
            for (int count : new int[] {100, 1, 30, 1}) {
                assertThat(steps.feed(cache, count)).isEqualTo(steps.feed(plain, count));
            }
        }
    }
}
