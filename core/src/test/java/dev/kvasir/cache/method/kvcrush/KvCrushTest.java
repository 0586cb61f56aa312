package dev.kvasir.cache.method.kvcrush;

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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Representatives on top of other policies, in caches. */
class KvCrushTest {
    private static final CacheShape SHAPE = new CacheShape(3, 8, 4, 64, 16);
    private final Steps steps = new Steps(SHAPE, 41);
    private final PlainWeights plain = new PlainWeights(steps, SHAPE);

    private static SequenceCache create(String spec, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), SHAPE, pool, Steps.sequential());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "snapkv(0.3, window=16)",
                "snapkv(budget=50, window=8, heads=adaptive)",
                "pyramidkv(0.4, beta=5)",
                "h2o(0.3)",
                "h2o(budget=40, recent=0.25)",
                "tova(budget=50)",
                "tova(0.3, heads=each)"
            })
    void withoutRepresentativesItIsThePolicyItself(String base) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("kvcrush(base=" + base + ", rho=0)", pool);
                SequenceCache expected = create(base, pool)) {
            for (int count : new int[] {150, 1, 1, 60, 1, 1, 1, 33, 1}) {
                assertThat(steps.feed(cache, count)).isEqualTo(steps.feed(expected, count));
                assertThat(cache.footprint()).isEqualTo(expected.footprint());
                for (int layer = 0; layer < 3; layer++) {
                    for (int h = 0; h < 4; h++) {
                        assertThat(PlainWeights.kept(cache, layer, h)).isEqualTo(PlainWeights.kept(expected, layer, h));
                    }
                }
            }
        }
    }

    @Test
    void queryHeadsThatSpeakChangeNothingOfWhatIsImportant() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("kvcrush(base=snapkv(0.3), rho=0, signature=query_heads)", pool);
                SequenceCache expected = create("snapkv(0.3)", pool)) {
            for (int count : new int[] {150, 1, 60, 1}) {
                assertThat(steps.feed(cache, count)).isEqualTo(steps.feed(expected, count));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"alternating, 1", "inv_mean, 1", "zeros, 8"})
    void ofAPromptItKeepsWhatThePlainImplementationKeeps(String anchor, int page) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(
                        "kvcrush(base=snapkv(window=8, pooling=none), budget=60, rho=0.5, anchor=" + anchor + ", page="
                                + page + ", store=exact(f32))",
                        pool)) {
            steps.feed(cache, 131);
            int recentFrom = (131 - 8) / page * page;
            for (int layer = 0; layer < 3; layer++) {
                List<Map<Integer, Double>> scores = new ArrayList<>();
                for (int h = 0; h < 4; h++) {
                    double[] sums = plain.window(layer, h, 131, 8);
                    Map<Integer, Double> head = new HashMap<>();
                    for (int p = 0; p < recentFrom; p++) {
                        head.put(p, sums[p]);
                    }
                    scores.add(head);
                }
                PlainCrush crush = new PlainCrush(scores, scores, page, 0.5);
                for (int h = 0; h < 4; h++) {
                    Set<Integer> expected =
                            new TreeSet<>(crush.stay(h, (60 - 8 - page + 1) / page, crush.anchor(anchor)));
                    for (int p = recentFrom; p < 131; p++) {
                        expected.add(p);
                    }
                    assertThat(PlainWeights.kept(cache, layer, h)).isEqualTo(new ArrayList<>(expected));
                }
            }
        }
    }

    /** Heads hold different tokens then, and sums go on. */
    @Test
    void whileDecodingItKeepsWhatThePlainImplementationKeeps() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(
                        "kvcrush(base=h2o(recent=0.25), budget=32, rho=0.5, anchor=alternating, store=exact(f32))",
                        pool)) {
            List<Map<Integer, Double>> held = new ArrayList<>();
            for (int h = 0; h < 4; h++) {
                held.add(new HashMap<>());
            }
            for (int count : new int[] {60, 1, 1, 1, 5, 1, 1, 1, 1, 1, 1}) {
                int first = cache.length();
                steps.feed(cache, count);
                int seen = first + count;
                List<Map<Integer, Double>> evictable = new ArrayList<>();
                for (int h = 0; h < 4; h++) {
                    addWeights(held.get(h), 2, h, first, count);
                    Map<Integer, Double> head = new HashMap<>(held.get(h));
                    head.keySet().removeIf(position -> position >= seen - 8);
                    evictable.add(head);
                }
                PlainCrush crush = new PlainCrush(evictable, evictable, 1, 0.5);
                for (int h = 0; h < 4; h++) {
                    Set<Integer> stay = crush.stay(h, 24, crush.anchor("alternating"));
                    held.get(h).keySet().removeIf(position -> position < seen - 8 && !stay.contains(position));
                    assertThat(PlainWeights.kept(cache, 2, h))
                            .containsExactlyInAnyOrderElementsOf(held.get(h).keySet());
                }
            }
        }
    }

    private void addWeights(Map<Integer, Double> sums, int layer, int kvHead, int first, int count) {
        List<Integer> seen = new ArrayList<>(sums.keySet());
        for (int t = 0; t < count; t++) {
            seen.add(first + t);
            for (int g = 0; g < 2; g++) {
                double[] weights = plain.of(layer, kvHead * 2 + g, first + t, seen);
                for (int i = 0; i < weights.length; i++) {
                    sums.merge(seen.get(i), weights[i], Double::sum);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "kvcrush(base=snapkv(window=16), keep=0.25, store=exact(f32))",
                "kvcrush(base=snapkv(window=8, heads=adaptive), keep=0.25, store=block(q8_0))",
                "kvcrush(base=pyramidkv, keep=0.4, signature=query_heads, sig_layers=2)",
                "kvcrush(base=h2o, keep=0.3, page=8, anchor=mean)",
                "kvcrush(base=tova(heads=each), budget=40, rho=0.5)",
                "kvcrush(base=snapkv(window=16), keep=0.4, page=16, signature=page_1bit, start=16, recent=32)"
            })
    void attendsToWhatItHoldsOnAnyThreads(String spec) {
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
    @ValueSource(
            strings = {
                "kvcrush",
                "kvcrush(base=snapkv, keep=0.25, store=kivi(bits=4))",
                "kvcrush(base=snapkv(window=8), keep=0.5, page=16, start=32, recent=64, store=kivi(residual=32))",
                "kvcrush(base=pyramidkv, keep=0.25, store=block(q4_0))",
                "kvcrush(base=h2o, keep=0.25)",
                "kvcrush(base=tova, budget=100, page=32)"
            })
    void allocatesWhatTheFormulaSaysOfAPrompt(String spec) {
        for (int tokens : new int[] {1, 9, 64, 333, 1024}) {
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
    void aStoreThatQuantizesKeepsTheSameTokensOfAPrompt() {
        String spec = "kvcrush(base=snapkv, keep=0.25, store=%s)";
        try (PagePool pool = Steps.pool();
                SequenceCache exact = create(spec.formatted("exact(f16)"), pool)) {
            steps.feed(exact, 400);
            for (String store :
                    new String[] {"exact(f32)", "block(q8_0)", "block(q4_0)", "kivi(bits=4)", "kivi(bits=2)"}) {
                try (SequenceCache cache = create(spec.formatted(store), pool)) {
                    steps.feed(cache, 400);
                    for (int layer = 0; layer < 3; layer++) {
                        for (int h = 0; h < 4; h++) {
                            assertThat(PlainWeights.kept(cache, layer, h))
                                    .isEqualTo(PlainWeights.kept(exact, layer, h));
                        }
                    }
                }
            }
        }
    }

    @Test
    void keptPagesAreWhole() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("kvcrush(base=h2o, budget=128, page=16)", pool)) {
            for (int i = 0; i < 120; i++) {
                steps.feed(cache, i == 0 ? 200 : i % 17 == 0 ? 5 : 1);
                Set<Integer> kept = new TreeSet<>(PlainWeights.kept(cache, 1, 2));
                assertThat(kept)
                        .hasSizeBetween(128 - 16 + 1 - 15, 128)
                        .hasSize(PlainWeights.kept(cache, 1, 2).size());
                for (int position : kept) {
                    for (int t = position / 16 * 16; t < Math.min(cache.length(), position / 16 * 16 + 16); t++) {
                        assertThat(kept).contains(t);
                    }
                }
            }
        }
    }

    /** The first layer is as it would be alone; the next ones differ by what those before them say. */
    @Test
    void layersBeforeSpeakToo() {
        try (PagePool pool = Steps.pool();
                SequenceCache alone = create("kvcrush(keep=0.25, rho=0.5)", pool);
                SequenceCache two = create("kvcrush(keep=0.25, rho=0.5, sig_layers=2)", pool);
                SequenceCache three = create("kvcrush(keep=0.25, rho=0.5, sig_layers=3)", pool)) {
            for (int count : new int[] {300, 1, 80, 1}) {
                steps.feed(alone, count);
                steps.feed(two, count);
                steps.feed(three, count);
            }
            assertThat(PlainWeights.kept(two, 0, 0)).isEqualTo(PlainWeights.kept(alone, 0, 0));
            assertThat(PlainWeights.kept(three, 1, 0)).isEqualTo(PlainWeights.kept(two, 1, 0));
            assertThat(PlainWeights.kept(two, 1, 0))
                    .hasSameSizeAs(PlainWeights.kept(alone, 1, 0))
                    .isNotEqualTo(PlainWeights.kept(alone, 1, 0));
            assertThat(PlainWeights.kept(three, 2, 0)).isNotEqualTo(PlainWeights.kept(two, 2, 0));
            try (KvCache fork = three.fork()) {
                for (int count : new int[] {1, 50, 1}) {
                    assertThat(steps.feed(fork, count)).isEqualTo(steps.feed(three, count));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 80, 96, 128, 256})
    void servesHeadsOfAnyWidthAndAnyGroup(int headDim) {
        for (int heads : new int[] {2, 6}) {
            CacheShape shape = new CacheShape(1, heads, 2, headDim, 16);
            Steps own = new Steps(shape, headDim);
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = (SequenceCache) Caches.create(
                            CacheSpec.parse("kvcrush(base=pyramidkv, keep=0.3, signature=query_heads)"),
                            shape,
                            pool,
                            Steps.sequential())) {
                for (int count : new int[] {101, 1, 37, 1}) {
                    float[] expected = own.expectedByReading(cache, count);
                    Steps.assertClose(own.feed(cache, count), expected, 1e-4);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    kvcrush(base=kivi)                              | kvcrush cannot build on kivi
                    kvcrush(base=snapkv(store=block))               | stores nothing, give the store to kvcrush itself
                    kvcrush(base=h2o, signature=query_heads)        | signature=query_heads is not possible with base=h2o
                    kvcrush(base=h2o, store=kivi)                   | kvcrush lets single tokens go, but kivi
                    kvcrush(base=snapkv(heads=adaptive), page=16)   | page=16 is not possible with heads=adaptive
                    kvcrush(rho=1.5)                                | rho=1.5 is not possible
                    kvcrush(signature=page_1bit)                    | page_1bit is not possible with page=1
                    kvcrush(page=16, start=30)                      | are not whole pages of page=16
                    kvcrush(sig_layers=0)                           | sig_layers=0 is not possible
                    kvcrush(base=kvcrush)                           | kvcrush cannot build on kvcrush
                    kvcrush(keep=1.5)                               | keep=1.5 is not possible
                    """)
    void saysWhatIsNotPossible(String spec, String problem) {
        assertThatThrownBy(() -> create(spec, Steps.pool()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(problem);
    }
}
