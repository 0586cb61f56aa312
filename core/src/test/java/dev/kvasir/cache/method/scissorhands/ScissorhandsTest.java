package dev.kvasir.cache.method.scissorhands;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheBudgetException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrated;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.selection.KeptLayer;
import dev.kvasir.cache.store.RowStore;
import dev.kvasir.cache.store.Scratch;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ScissorhandsTest {
    private static final CacheShape SHAPE = new CacheShape(1, 4, 2, 32, 16);
    private final Steps steps = new Steps(SHAPE, 17);

    private static SequenceCache create(String spec, CacheShape shape, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential());
    }

    private static List<Integer> positions(SequenceCache cache, int layer, int kvHead) {
        KeptLayer kept = (KeptLayer) cache.store(layer);
        List<Integer> positions = new ArrayList<>();
        for (int slot = 0; slot < kept.keys(kvHead).size(); slot++) {
            positions.add(kept.position(kvHead, slot));
        }
        return positions;
    }

    @ParameterizedTest
    @CsvSource({
        "'40, drop=0.5, window=20, recent=5', 20, 20, 5",
        "'40, drop=0.25, window=7, recent=5', 10, 7, 5",
        "'40, drop=0.25, window=33, recent=4', 10, 33, 4",
        "'40, drop=0.5, window=20, recent=5, heads=any', 20, 20, 5",
        "'40, drop=0.3, window=50, recent=3, heads=any', 12, 50, 3",
        "'40, drop=0.5, window=16, recent=5, threshold=seen', 20, 16, 5",
        "'40, drop=0.5, window=16, recent=5, block=1', 20, 16, 5",
        "'40, drop=0.03, window=9, recent=5', 1, 9, 5"
    })
    void keepsAndAnswersWhatThePublishedLoopDoes(String options, int drop, int window, int recent) {
        for (int[] chunks : new int[][] {{100, 1, 1, 1, 30, 1}, {1, 1, 38, 1, 1, 77, 1, 13}}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = create("scissorhands(" + options + ", store=exact(f32))", SHAPE, pool)) {
                PlainScissors[] plain = new PlainScissors[2];
                for (int h = 0; h < 2; h++) {
                    plain[h] = new PlainScissors(steps, SHAPE, 0, h, 40, drop, window, recent);
                    plain[h].any = options.contains("any");
                    plain[h].ofSeen = options.contains("seen");
                }
                for (int count : chunks) {
                    int first = cache.length();
                    float[] found = steps.feed(cache, count);
                    float[] expected = new float[found.length];
                    for (int t = 0; t < count; t++) {
                        for (int h = 0; h < 2; h++) {
                            float[] out = plain[h].feed(first + t);
                            System.arraycopy(out, 0, expected, (t * 4 + h * 2) * 32, 64);
                        }
                    }
                    Steps.assertClose(found, expected, 1e-5);
                    for (int h = 0; h < 2; h++) {
                        assertThat(positions(cache, 0, h)).isEqualTo(plain[h].settled(cache.length()));
                    }
                }
            }
        }
    }

    @Test
    void aDensePromptAttendsAsAWholeAndTokensGoByItsLastRows() {
        for (int window : new int[] {12, 35}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = create(
                            "scissorhands(40, window=" + window + ", recent=5, prompt=dense, store=exact(f32))",
                            SHAPE,
                            pool)) {
                PlainScissors plain = new PlainScissors(steps, SHAPE, 0, 1, 40, 20, window, 5);
                float[] found = steps.feed(cache, 90);
                for (int t = 0; t < 90; t++) {
                    float[] out = plain.attend(t);
                    assertThat(out[3]).isCloseTo(found[(t * 4 + 2) * 32 + 3], within(1e-4f));
                }
                plain.compress(90, 70);
                assertThat(positions(cache, 0, 1)).hasSize(20).isEqualTo(plain.kept);
                for (int t = 90; t < 140; t++) {
                    steps.feed(cache, 1);
                    plain.feed(t);
                    assertThat(positions(cache, 0, 1)).isEqualTo(plain.settled(t + 1));
                }
                // A second prompt decides by its own rows.
                plain.forgetEvents();
                steps.feed(cache, 60);
                int before = plain.kept.size();
                for (int t = 140; t < 200; t++) {
                    plain.attend(t);
                }
                plain.compress(200, before + 60 - 20);
                assertThat(positions(cache, 0, 1)).isEqualTo(plain.kept);
            }
        }
    }

    @Test
    void slotsAreNeverMoreThanTheBudgetAndAreEmptiedAtRegularIntervals() {
        CacheShape shape = new CacheShape(3, 4, 2, 32, 16);
        Steps three = new Steps(shape, 4);
        try (PagePool pool = Steps.pool();
                SequenceCache cache =
                        create("scissorhands(60, drop=0.4, recent=6, layers=ramp, slope=0.5)", shape, pool)) {
            int[] budgets = {30, 60, 90};
            int[][] sizes = new int[3][400];
            three.feed(cache, 1);
            for (int t = 1; t < 400; t++) {
                for (int layer = 0; layer < 3; layer++) {
                    for (int h = 0; h < 2; h++) {
                        List<Integer> kept = positions(cache, layer, h);
                        assertThat(kept.size()).isLessThan(budgets[layer]);
                        assertThat(kept).isSorted().doesNotHaveDuplicates();
                        for (int p = Math.max(0, t - 6); p < t; p++) {
                            assertThat(kept).contains(p);
                        }
                        sizes[layer][t] = kept.size();
                    }
                }
                three.feed(cache, 1);
            }
            for (int layer = 0; layer < 3; layer++) {
                int drop = Math.round(0.4f * budgets[layer]);
                int last = -1;
                for (int t = 2; t < 400; t++) {
                    if (sizes[layer][t] <= sizes[layer][t - 1]) {
                        assertThat(sizes[layer][t]).isEqualTo(budgets[layer] - drop);
                        assertThat(t - (last < 0 ? t - drop : last)).isEqualTo(drop);
                        last = t;
                    }
                }
                assertThat(last).isPositive();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 24, 64})
    void whatStaysDoesNotDependOnBlocksOrSteps(int block) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("scissorhands(48, block=" + block + ", store=exact(f32))", SHAPE, pool);
                SequenceCache twin = create("scissorhands(48, store=exact(f32))", SHAPE, pool)) {
            for (int count : new int[] {7, 150, 1, 1, 90}) {
                steps.feed(cache, count);
            }
            for (int count : new int[] {200, 49}) {
                steps.feed(twin, count);
            }
            for (int h = 0; h < 2; h++) {
                assertThat(positions(cache, 0, h)).isEqualTo(positions(twin, 0, h));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"heads=sum", "heads=any", "heads=sum, prompt=dense", "heads=any, window=20"})
    void ringAndCounterKeepTheSame(String options) {
        try (PagePool pool = Steps.pool();
                SequenceCache ring = create("scissorhands(80, history=ring, " + options + ")", SHAPE, pool);
                SequenceCache counter = create("scissorhands(80, history=counter, " + options + ")", SHAPE, pool)) {
            for (int count : new int[] {170, 1, 1, 1, 60, 1, 1, 45, 1, 1, 1}) {
                assertThat(steps.feed(ring, count)).isEqualTo(steps.feed(counter, count));
                for (int h = 0; h < 2; h++) {
                    assertThat(positions(ring, 0, h)).isEqualTo(positions(counter, 0, h));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ", window=100", ", prompt=dense"})
    void aBudgetAboveTheLengthChangesNothing(String options) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("scissorhands(500" + options + ")", SHAPE, pool);
                SequenceCache plain = create("exact(f16)", SHAPE, pool)) {
            for (int count : new int[] {64, 1, 63, 1}) {
                assertThat(steps.feed(cache, count)).isEqualTo(steps.feed(plain, count));
            }
        }
    }

    @Test
    void keysAndValuesStayWithTheirPositions() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("scissorhands(64, window=30, store=exact(f32))", SHAPE, pool)) {
            steps.feed(cache, 300);
            KeptLayer layer = (KeptLayer) cache.store(0);
            float[] row = new float[32];
            for (int h = 0; h < 2; h++) {
                List<Integer> kept = positions(cache, 0, h);
                for (int slot = 0; slot < kept.size(); slot++) {
                    var states = steps.states(0, kept.get(slot), 1);
                    for (int c = 0; c < 32; c++) {
                        ((RowStore) layer.store().head(h).keys()).row(slot, row, 0, new Scratch());
                        assertThat(row[c]).isEqualTo(states.keys()[h * 32 + c]);
                        ((RowStore) layer.store().head(h).values()).row(slot, row, 0, new Scratch());
                        assertThat(row[c]).isEqualTo(states.values()[h * 32 + c]);
                    }
                }
            }
        }
    }

    /**
     * Feeds tokens of a head of one query head whose score of token {@code i} at row {@code t} is {@code score(i, t)}: the
     * query holds the scores of the planted tokens.
     */
    private static void feedPlanted(SequenceCache cache, int[] planted, Score score) {
        int t = cache.length();
        int d = cache.shape().headDim();
        float[] key = new float[d];
        float[] query = new float[d];
        for (int i = 0; i < planted.length; i++) {
            if (planted[i] == t) {
                key[i] = 1;
            }
            query[i] = (float) Math.sqrt(d) * score.of(i, t);
        }
        cache.reserve(1);
        cache.layer(0).append(OneStep.states(t, 1, key, new float[d]));
        cache.layer(0).attend(OneStep.queries(1, query), new float[d]);
    }

    private interface Score {
        float of(int planted, int row);
    }

    @Test
    void aTokenAboveAverageEverySecondStepStaysForEver() {
        CacheShape one = new CacheShape(1, 1, 1, 16, 16);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("scissorhands(32, window=16, store=exact(f32))", one, pool)) {
            for (int t = 0; t < 400; t++) {
                // Tokens 2 and 5 are far above all others in turn, and below average in between.
                feedPlanted(cache, new int[] {2, 5}, (i, row) -> row % 2 == i ? 8 : -1);
                if (t >= 5) {
                    assertThat(positions(cache, 0, 0)).contains(2, 5);
                }
            }
        }
    }

    @Test
    void aTokenBelowAverageThroughoutSurvivesOnlyIfMoreTieThanGo() {
        CacheShape one = new CacheShape(1, 1, 1, 16, 16);
        for (int low = 1; low <= 16; low++) {
            int[] planted = new int[low];
            for (int i = 0; i < low; i++) {
                planted[i] = i;
            }
            List<Integer> kept = afterOneWindow(one, "drop=0.5, window=16", planted, -4);
            assertThat(kept).hasSize(16).noneMatch(p -> p < planted.length);
        }
        // Token 0 alone is above average: tokens 1 to 16 were below it in all 16 rows of the window, later ones in
        // fewer.
        assertThat(afterOneWindow(one, "drop=0.5, window=16", new int[] {0}, 8))
                .startsWith(0, 17)
                .hasSize(16);
        // With a window of 8, 24 tie at the most there can be, and 8 go: the oldest.
        assertThat(afterOneWindow(one, "drop=0.25, window=8", new int[] {0}, 8))
                .startsWith(0, 9, 10)
                .hasSize(24);
    }

    /** What stays of 32 tokens of which these score {@code score} in every row, and the others 0. */
    private static List<Integer> afterOneWindow(CacheShape one, String options, int[] planted, float score) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache =
                        create("scissorhands(32, recent=4, store=exact(f32), " + options + ")", one, pool)) {
            for (int t = 0; t < 32; t++) {
                feedPlanted(cache, planted, (i, row) -> score);
            }
            return positions(cache, 0, 0);
        }
    }

    private static double distance(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (a[i] - (double) b[i]) * (a[i] - (double) b[i]);
        }
        return Math.sqrt(sum);
    }

    @ParameterizedTest
    @ValueSource(strings = {"block(q4_0)", "kivi(bits=4, k_axis=token, residual=0, group=32)", "qserve(smooth=false)"})
    void fourBitsAddOnlyTheirOwnErrorToThatOfDropping(String store) {
        double whole = 0;
        double dropped = 0;
        double coded = 0;
        try (PagePool pool = Steps.pool();
                SequenceCache dense = create("exact", SHAPE, pool);
                SequenceCache drop = create("scissorhands(100)", SHAPE, pool);
                SequenceCache code = create(store, SHAPE, pool);
                SequenceCache both = create("scissorhands(100, store=" + store + ")", SHAPE, pool)) {
            for (SequenceCache cache : List.of(dense, drop, code, both)) {
                steps.feed(cache, 180);
            }
            for (int t = 0; t < 30; t++) {
                float[] exact = steps.feed(dense, 1);
                dropped += distance(steps.feed(drop, 1), exact);
                coded += distance(steps.feed(code, 1), exact);
                whole += distance(steps.feed(both, 1), exact);
            }
        }
        assertThat(dropped).isPositive();
        assertThat(coded).isPositive();
        assertThat(whole).isLessThan(1.1 * (dropped + coded)).isGreaterThan(0.5 * dropped);
    }

    @Test
    void fourBitsOnTopOfAFifthAreNearATwentieth() {
        // The worked number: 4,096 tokens at d = 128, a fifth of them, 4 bits in groups of 64 with F16 scale and
        // minimum.
        CacheShape shape = new CacheShape(1, 1, 1, 128, 128);
        long exact = Caches.estimateBytes(CacheSpec.parse("exact(f16)"), shape, 4096);
        assertThat(exact).isEqualTo(2 << 20);
        // 818 of 819 slots, at rest just before they are full.
        int full = 4096 - (4096 - 819) % 410 + 409;
        CacheSpec plain = CacheSpec.parse("scissorhands(819)");
        CacheSpec four = CacheSpec.parse("scissorhands(819, store=kivi(bits=4, k_axis=token, residual=0, group=64))");
        assertThat(Caches.estimateBytes(plain, shape, full)).isBetween(418_000L, 419_328L + 32 * 1024);
        assertThat(Caches.estimateBytes(four, shape, full)).isBetween(117_700L, 117_936L + 20 * 1024);
    }

    @Test
    void aTokenIsQuantizedOnceWhenItLeavesTheNewest() {
        Random random = new Random(5);
        float[] keys = new float[90 * 64];
        float[] values = new float[90 * 64];
        for (int i = 0; i < keys.length; i++) {
            keys[i] = Element.F16.round((float) random.nextGaussian());
            values[i] = Element.F16.round((float) random.nextGaussian());
        }
        try (PagePool pool = Steps.pool();
                SequenceCache whole = create("block(q4_0)", SHAPE, pool);
                SequenceCache cache = create("scissorhands(40, recent_exact=7, store=block(q4_0))", SHAPE, pool)) {
            whole.reserve(90);
            OneStep.store(whole, keys, values);
            int at = 0;
            for (int count : new int[] {3, 1, 30, 1, 20, 1, 1, 33}) {
                cache.reserve(count);
                OneStep.store(
                        cache,
                        java.util.Arrays.copyOfRange(keys, at * 64, (at + count) * 64),
                        java.util.Arrays.copyOfRange(values, at * 64, (at + count) * 64));
                at += count;
                for (int h = 0; h < 2; h++) {
                    checkRows(whole, cache, h, keys, values);
                }
            }
        }
    }

    private static void checkRows(SequenceCache whole, SequenceCache cache, int h, float[] keys, float[] values) {
        KeptLayer layer = (KeptLayer) cache.store(0);
        List<Integer> kept = positions(cache, 0, h);
        float[] found = new float[32];
        float[] expected = new float[32];
        Scratch scratch = new Scratch();
        for (int slot = 0; slot < kept.size(); slot++) {
            int position = kept.get(slot);
            boolean exact = slot >= kept.size() - 7;
            for (boolean isKey : new boolean[] {true, false}) {
                var head = layer.store().head(h);
                ((RowStore) (isKey ? head.keys() : head.values())).row(slot, found, 0, scratch);
                if (exact) {
                    System.arraycopy(isKey ? keys : values, position * 64 + h * 32, expected, 0, 32);
                } else {
                    var plain = whole.head(0, h);
                    ((RowStore) (isKey ? plain.keys() : plain.values())).row(position, expected, 0, scratch);
                }
                assertThat(found).isEqualTo(expected);
            }
        }
    }

    @Test
    void budgetsOfLayersHaveTheMeanAskedFor() {
        assertThat(LayerBudgets.uniform(100, 3)).containsExactly(100, 100, 100);
        assertThat(LayerBudgets.ramp(100, 5, 0.3)).containsExactly(70, 85, 100, 115, 130);
        assertThat(LayerBudgets.ramp(100, 1, 0.3)).containsExactly(100);
        assertThat(LayerBudgets.persistence(100, new float[] {0.9f, 0.9f, 0.6f}))
                .containsExactly(75, 75, 150);
        assertThat(LayerBudgets.persistence(100, new float[] {1, 1, 1, 0.2f})).containsExactly(50, 50, 50, 150);
    }

    @Test
    void persistenceIsTheShareOfLaterPivotalTokensThatWereSoBefore() {
        // Rows of 16 tokens; even tokens of the first half stand out in it, the first six tokens in the second half.
        Persistence found = Persistence.of(16, (t, out) -> {
            for (int i = 0; i <= t; i++) {
                boolean high = t < 8 ? i % 2 == 0 : i < 6;
                out[i] = high ? 3 : 0;
            }
        });
        assertThat(found.size()).isEqualTo(0.5);
        assertThat(found.persistence()).isEqualTo(0.5);
        Persistence same = Persistence.of(17, (t, out) -> {
            for (int i = 0; i <= t; i++) {
                out[i] = i % 3 == 0 ? 2 : 0;
            }
        });
        assertThat(same.persistence()).isEqualTo(1);
        assertThat(same.size()).isEqualTo(3 / 8.0);
    }

    @Test
    void budgetsByPersistenceComeFromTheCalibration() {
        CacheShape shape = new CacheShape(2, 4, 2, 32, 16);
        Map<String, Calibration.Tensor> tensors = Map.of(
                "layer.0.persistence", Calibration.Tensor.of(new float[] {0.9f, 0.2f}, 2),
                "layer.1.persistence", Calibration.Tensor.of(new float[] {0.7f, 0.2f}, 2));
        Calibration calibration = new Calibration("scissorhands", Map.of(), Calibrated.FINGERPRINT, tensors);
        CacheModel model = Calibrated.with(shape, OneStep.calibrations(calibration));
        try (PagePool pool = Steps.pool();
                SequenceCache cache = (SequenceCache) Caches.create(
                        CacheSpec.parse("scissorhands(80, layers=persistence)"), model, pool, Steps.sequential())) {
            new Steps(shape, 1).feed(cache, 59);
            assertThat(cache.store(0).size()).isEqualTo(59);
            new Steps(shape, 1).feed(cache, 1);
            // 80 * (0.5 + 0.5 * 2 * 0.1 / 0.4) = 60, and 100 for the other layer.
            assertThat(cache.store(0).size()).isEqualTo(30);
            new Steps(shape, 1).feed(cache, 40);
            assertThat(cache.store(1).size()).isEqualTo(50);
        }
        Calibration made = Calibrated.calibration(shape, CacheSpec.parse("scissorhands"));
        for (int layer = 0; layer < 2; layer++) {
            float[] found = made.data("layer." + layer + ".persistence", 2);
            assertThat(found[0]).isBetween(found[1] - 0.05f, 1f);
            assertThat(found[1]).isBetween(0f, 1f);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "'scissorhands(1)', at least",
        "'scissorhands(20, drop=0)', above 0",
        "'scissorhands(20, drop=1)', above 0",
        "'scissorhands(20, recent=15)', at least 25",
        "'scissorhands(20, recent_exact=15, store=block)', at least 25",
        "'scissorhands(40, window=30, history=counter)', history=ring",
        "'scissorhands(40, layers=ramp, slope=1)', below 1",
        "'scissorhands(store=kivi)', lets single tokens go",
        "'scissorhands(store=h2o)', weighs tokens"
    })
    void refusesWhatCannotBe(String spec, String reason) {
        assertThatThrownBy(() -> create(spec, SHAPE, Steps.pool()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(reason);
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 80, 96, 128, 256})
    void servesAnyHeadWidth(int headDim) {
        for (int heads : new int[] {1, 3}) {
            CacheShape shape = new CacheShape(1, heads, 1, headDim, 16);
            Steps any = new Steps(shape, headDim);
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = create("scissorhands(40, store=exact(f32))", shape, pool)) {
                int drop = 20;
                PlainScissors plain = new PlainScissors(any, shape, 0, 0, 40, drop, drop, 4);
                any.feed(cache, 71);
                for (int t = 0; t < 71; t++) {
                    plain.feed(t);
                }
                assertThat(positions(cache, 0, 0)).isEqualTo(plain.settled(71));
                Steps.assertClose(any.feed(cache, 1), plain.feed(71), 1e-5);
            }
        }
    }

    @Test
    void aRefusedStepLeavesTheCacheAsItWas() {
        String spec = "scissorhands(200, recent_exact=8, store=block(q4_0))";
        try (PagePool small = new PagePool(Caches.estimateBytes(CacheSpec.parse(spec), SHAPE, 130));
                PagePool free = Steps.pool();
                SequenceCache cache = create(spec, SHAPE, small);
                SequenceCache twin = create(spec, SHAPE, free)) {
            steps.feed(cache, 100);
            steps.feed(twin, 100);
            long used = small.usedBytes();
            assertThatThrownBy(() -> cache.reserve(100)).isInstanceOf(CacheBudgetException.class);
            assertThat(small.usedBytes()).isEqualTo(used);
            assertThat(steps.feed(cache, 30)).isEqualTo(steps.feed(twin, 30));
        }
    }

    @Test
    void nothingIsRolledBack() {
        try (PagePool pool = Steps.pool();
                KvCache cache = create("scissorhands(40)", SHAPE, pool)) {
            steps.feed(cache, 20);
            assertThat(cache.rollbackLimit()).isZero();
        }
    }
}
