package dev.kvasir.cache.method.tova;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.selection.PlainWeights;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The token goes that the last query attends to least. */
class TovaTest {
    private static final CacheShape SHAPE = new CacheShape(2, 6, 3, 64, 16);
    private final Steps steps = new Steps(SHAPE, 21);
    private final PlainWeights plain = new PlainWeights(steps, SHAPE);

    private static SequenceCache create(String spec, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), SHAPE, pool, Steps.sequential());
    }

    /** What of a head stays of 20 by a plain implementation: its own query heads vote, or all, each with the keys of its own. */
    private List<Integer> stay(int layer, int kvHead, List<Integer> candidates, int query, boolean each) {
        double[] sums = new double[candidates.size()];
        for (int head = each ? 2 * kvHead : 0; head < (each ? 2 * kvHead + 2 : 6); head++) {
            double[] weights = plain.of(layer, head, query, candidates);
            for (int i = 0; i < sums.length; i++) {
                sums[i] += weights[i];
            }
        }
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < sums.length; i++) {
            order.add(i);
        }
        order.sort(Comparator.comparingDouble((Integer i) -> -sums[i]));
        return order.stream().limit(20).map(candidates::get).toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"layer", "each"})
    void keepsWhatAPlainImplementationKeeps(String heads) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("tova(budget=20, heads=" + heads + ", store=exact(f32))", pool)) {
            boolean newestWent = false;
            List<List<Integer>> kept = new ArrayList<>(List.of(List.of(), List.of(), List.of()));
            for (int count : new int[] {12, 40, 1, 1, 1, 6, 1, 1, 1, 1, 1, 1, 1, 1}) {
                int first = cache.length();
                steps.feed(cache, count);
                for (int h = 0; h < 3; h++) {
                    List<Integer> candidates = new ArrayList<>(kept.get(h));
                    for (int t = 0; t < count; t++) {
                        candidates.add(first + t);
                    }
                    List<Integer> staying = stay(1, h, candidates, first + count - 1, heads.equals("each"));
                    kept.set(h, staying);
                    assertThat(PlainWeights.kept(cache, 1, h)).containsExactlyInAnyOrderElementsOf(kept.get(h));
                    newestWent |= !kept.get(h).contains(first + count - 1);
                }
            }
            assertThat(newestWent).isTrue();
        }
    }

    @Test
    void headsOfALayerKeepTheSameTokensInTheSameSlots() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("tova(0.3, store=block(q4_0))", pool)) {
            for (int count : new int[] {90, 1, 1, 33, 1, 1, 1}) {
                steps.feed(cache, count);
                for (int layer = 0; layer < 2; layer++) {
                    List<Integer> first = PlainWeights.kept(cache, layer, 0);
                    assertThat(first).hasSize((int) (0.3 * cache.length())).doesNotHaveDuplicates();
                    assertThat(PlainWeights.kept(cache, layer, 1)).isEqualTo(first);
                    assertThat(PlainWeights.kept(cache, layer, 2)).isEqualTo(first);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tova(budget=30, store=exact(f32))", "tova(budget=25, heads=each, store=block(q8_0))"})
    void attendsToWhatItHolds(String spec) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, pool)) {
            for (int count : new int[] {80, 1, 1, 12, 1}) {
                float[] expected = steps.expectedByReading(cache, count);
                Steps.assertClose(steps.feed(cache, count), expected, 1e-4);
            }
        }
    }
}
