package dev.kvasir.cache.method.locret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrated;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrations;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.store.RowStore;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.tensor.RotaryTable;
import dev.kvasir.tensor.Workers;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LocretTest {
    private static final CacheShape SHAPE = new CacheShape(2, 4, 2, 64, 16);
    private static final int WIDTH = 24;
    private final Steps steps = new Steps(SHAPE, 3);

    private static CacheModel model(CacheShape shape) {
        Calibration heads = MadeUpHeads.calibration(shape, Calibrated.FINGERPRINT, WIDTH);
        return Calibrated.with(shape, (method, file) -> heads);
    }

    private static SequenceCache create(String spec, CacheShape shape, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), model(shape), pool, Steps.sequential());
    }

    private static SequenceCache create(String spec, PagePool pool) {
        return create(spec, SHAPE, pool);
    }

    private static LocretLayer layer(SequenceCache cache, int layer) {
        return (LocretLayer) cache.store(layer);
    }

    private static List<Integer> kept(SequenceCache cache, int layer, int kvHead) {
        return IntStream.range(0, layer(cache, layer).keys(kvHead).size())
                .mapToObj(slot -> layer(cache, layer).kept().position(kvHead, slot))
                .toList();
    }

    @ParameterizedTest
    @CsvSource({
        // heads, kvHeads, headDim, budget, chunk, stabilizers, local
        "4, 2, 64, 40, 16, 10, 8",
        "4, 2, 64, 40, 16, 0, 8",
        "3, 3, 80, 33, 50, 33, 5",
        "4, 1, 96, 24, 7, 20, 1",
        "2, 2, 128, 20, 64, 5, 3",
        "4, 2, 256, 12, 5, 7, 4"
    })
    void outputsAndKeptTokensAreThoseOfThePaperInPlainLoops(
            int heads, int kvHeads, int headDim, int budget, int chunk, int stabilizers, int local) {
        CacheShape shape = new CacheShape(2, heads, kvHeads, headDim, 16);
        Steps states = new Steps(shape, 5);
        LocretReference reference =
                new LocretReference(shape, states, MadeUpHeads.heads(shape, WIDTH), budget, chunk, stabilizers, local);
        String spec = "locret(budget=%d, chunk=%d, stabilizers=%d, local=%d, store=exact(f32))"
                .formatted(budget, chunk, stabilizers, local);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, shape, pool)) {
            for (int count : new int[] {101, 1, 1, 1, local, 37, 1}) {
                Steps.assertClose(states.feed(cache, count), reference.feed(count), 2e-5);
                for (int layer = 0; layer < 2; layer++) {
                    for (int h = 0; h < kvHeads; h++) {
                        assertThat(kept(cache, layer, h)).isEqualTo(reference.kept(layer, h));
                    }
                }
            }
        }
    }

    @Test
    void headsKeepDifferentTokensAndAsManyEach() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("locret(budget=40, local=8)", pool)) {
            steps.feed(cache, 200);
            assertThat(kept(cache, 0, 0)).hasSize(48).isNotEqualTo(kept(cache, 0, 1));
            assertThat(kept(cache, 0, 1)).hasSize(48).isNotEqualTo(kept(cache, 1, 1));
        }
    }

    @Test
    void aBudgetAboveTheLengthGivesTheDenseOutputs() {
        try (PagePool pool = Steps.pool();
                KvCache whole = create("locret(budget=500, chunk=500, local=1, store=exact(f32))", pool);
                KvCache chunked = create("locret(budget=500, chunk=17, local=16, store=exact(f32))", pool);
                KvCache dense = create("exact(f32)", pool);
                KvCache oneChunk = create("exact(f32)", pool)) {
            float[] expected = steps.feed(dense, 150);
            float[] one = steps.feed(whole, 150);
            float[] chunk = steps.feed(oneChunk, 149);
            // All of one chunk, bit by bit; the local token reads it from the store.
            int token = SHAPE.heads() * SHAPE.headDim();
            for (int layer = 0; layer < 2; layer++) {
                int from = layer * 150 * token;
                int chunkFrom = layer * 149 * token;
                assertThat(Arrays.copyOfRange(one, from, from + 149 * token))
                        .isEqualTo(Arrays.copyOfRange(chunk, chunkFrom, chunkFrom + 149 * token));
            }
            Steps.assertClose(one, expected, 1e-5);
            Steps.assertClose(steps.feed(chunked, 150), expected, 1e-5);
            for (int i = 0; i < 5; i++) {
                float[] next = steps.feed(dense, 1);
                Steps.assertClose(steps.feed(whole, 1), next, 1e-5);
                Steps.assertClose(steps.feed(chunked, 1), next, 1e-5);
            }
        }
    }

    @Test
    void scoresDependOnNothingThatComesLater() {
        Steps other = new Steps(SHAPE, 77);
        String spec = "locret(budget=1000, chunk=%d, local=%d)";
        try (PagePool pool = Steps.pool();
                SequenceCache together = create(spec.formatted(400, 1), pool);
                SequenceCache chunks = create(spec.formatted(7, 3), pool);
                SequenceCache elsewhere = create(spec.formatted(31, 9), pool)) {
            steps.feed(together, 90);
            steps.feed(chunks, 50);
            for (int i = 0; i < 10; i++) {
                steps.feed(chunks, 1);
            }
            steps.feed(chunks, 30);
            steps.feed(elsewhere, 60);
            other.feed(elsewhere, 30);
            for (int layer = 0; layer < 2; layer++) {
                for (int h = 0; h < 2; h++) {
                    for (int slot = 0; slot < 90; slot++) {
                        float score = layer(together, layer).kept().history(h, slot);
                        assertThat(layer(chunks, layer).kept().history(h, slot)).isEqualTo(score);
                        if (slot < 60) {
                            assertThat(layer(elsewhere, layer).kept().history(h, slot))
                                    .isEqualTo(score);
                        } else {
                            assertThat(layer(elsewhere, layer).kept().history(h, slot))
                                    .isNotEqualTo(score);
                        }
                    }
                }
            }
        }
    }

    @Test
    void slotsAreTheBudgetAfterAPromptThenOneMoreForEachToken() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("locret(budget=64, chunk=16, local=10)", pool)) {
            int[][] expected = {{7, 7}, {10, 17}, {30, 47}, {200, 74}, {1, 75}, {1, 76}, {9, 85}, {11, 74}, {1, 75}};
            for (int[] step : expected) {
                steps.feed(cache, step[0]);
                for (int h = 0; h < 2; h++) {
                    assertThat(cache.store(0).keys(h).size()).isEqualTo(step[1]);
                    assertThat(cache.store(1).values(h).size()).isEqualTo(step[1]);
                }
            }
        }
    }

    @Test
    void slotsNeverPassBudgetAndChunkWhileAPromptIsRead() {
        LocretPlan plan = LocretPlan.of(Steps.settings("locret(0.25, chunk=0.5, stabilizers=0.5, local=12)"));
        for (int length : new int[] {13, 100, 1001}) {
            int slots = 0;
            int budget = plan.budget(length);
            List<Integer> blocks = new ArrayList<>();
            for (int left = length; left > 0; ) {
                int block = plan.block(left, length);
                blocks.add(block);
                slots += block;
                assertThat(slots).isLessThanOrEqualTo(budget + Math.max(budget / 2, 12));
                slots = plan.evicts(left) ? Math.min(slots, budget) : slots;
                left -= block;
            }
            assertThat(slots).isEqualTo(plan.sizeAfterPrompt(length));
            assertThat(blocks.getLast()).isEqualTo(12);
            assertThat(blocks.stream().mapToInt(Integer::intValue).sum()).isEqualTo(length);
        }
    }

    @Test
    void newestTokensStayUntilThePromptsLastChunkOnly() {
        // The score falls from token to token: of itself a head would keep the first ones only.
        CacheShape shape = new CacheShape(1, 2, 1, 8, 4);
        float[] w1 = new float[RetainingHead.inputs(shape)];
        w1[0] = 1;
        List<RetainingHead> falling = List.of(new RetainingHead(shape, 1, w1, new float[] {1}));
        Calibration heads =
                new Calibration("locret", Map.of(), Calibrated.FINGERPRINT, RetainingHeads.tensors(falling, shape));
        CacheModel model = Calibrated.with(shape, (method, file) -> heads);
        CacheSpec spec = CacheSpec.parse("locret(budget=20, chunk=10, stabilizers=6, local=2)");
        try (PagePool pool = Steps.pool();
                SequenceCache cache = (SequenceCache) Caches.create(spec, model, pool, Steps.sequential())) {
            cache.reserve(42);
            List<List<Integer>> after = new ArrayList<>();
            for (int seen = 0; seen < 42; ) {
                int block = layer(cache, 0).block(seen, 42 - seen);
                int[] numbers = IntStream.range(seen, seen + block).toArray();
                store(layer(cache, 0), new Named(shape, seen, numbers, true));
                after.add(kept(cache, 0, 0));
                seen += block;
            }
            assertThat(after).hasSize(5);
            assertThat(after.get(1)).isEqualTo(range(0, 20));
            // Chunks of 10: the newest 6 stay for the time being.
            assertThat(after.get(2)).isEqualTo(both(range(0, 14), range(24, 30)));
            // The last chunk has no privilege; then come the local tokens.
            assertThat(after.get(3)).isEqualTo(both(range(0, 14), range(24, 30)));
            assertThat(after.get(4)).isEqualTo(both(after.get(3), range(40, 42)));
        }
    }

    private static List<Integer> range(int from, int to) {
        return IntStream.range(from, to).boxed().toList();
    }

    private static List<Integer> both(List<Integer> first, List<Integer> second) {
        return Stream.concat(first.stream(), second.stream()).toList();
    }

    /** A block of a step, stored as attention does it. */
    private static void store(LocretLayer layer, Named block) {
        Scratch scratch = new Scratch();
        layer.open(block, block);
        layer.begin(block, block);
        for (int part = 0; part < layer.appendParts(); part++) {
            layer.append(part, scratch);
        }
        for (int part = 0; part < layer.completeParts(); part++) {
            layer.complete(part, scratch);
        }
        layer.end();
    }

    @Test
    void storedScoresAreThePredictionsOfTheTokensThatStay() {
        LocretReference reference = new LocretReference(SHAPE, steps, MadeUpHeads.heads(SHAPE, WIDTH), 40, 10, 20, 4);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("locret(budget=40, chunk=10, stabilizers=20, local=4)", pool)) {
            steps.feed(cache, 120);
            steps.feed(cache, 1);
            for (int layer = 0; layer < 2; layer++) {
                for (int h = 0; h < 2; h++) {
                    List<Integer> kept = kept(cache, layer, h);
                    for (int slot = 0; slot < kept.size(); slot++) {
                        assertThat((double) layer(cache, layer).kept().history(h, slot))
                                .isCloseTo(reference.score(layer, kept.get(slot))[h], offset(1e-4));
                    }
                }
            }
        }
    }

    /** Tokens by number, at whatever position: a token's plain key, query and value depend on its number alone. */
    private record Named(CacheShape shape, int first, int[] numbers, boolean falling) implements TokenStates, Queries {
        Named(CacheShape shape, int first, int... numbers) {
            this(shape, first, numbers, false);
        }

        private float[] rows(int kind, int width) {
            float[] rows = new float[numbers.length * width];
            for (int t = 0; t < numbers.length; t++) {
                Random random = new Random(kind * 1009L + numbers[t] * 31L);
                for (int i = 0; i < width; i++) {
                    rows[t * width + i] = (float) random.nextGaussian();
                }
            }
            return rows;
        }

        private float[] turned(float[] plain, int heads) {
            RotaryTable table = RotaryTable.of(shape.headDim(), 10_000);
            table.reach(first + numbers.length);
            float[] out = plain.clone();
            int width = heads * shape.headDim();
            for (int t = 0; t < numbers.length; t++) {
                table.rotate(first + t, heads, plain, t * width, out, t * width);
            }
            return out;
        }

        @Override
        public int count() {
            return numbers.length;
        }

        @Override
        public int firstPosition() {
            return first;
        }

        @Override
        public float[] residual() {
            return rows(4, shape.hiddenSize());
        }

        @Override
        public float[] input() {
            return rows(5, shape.hiddenSize());
        }

        @Override
        public float[] keysBeforeRope() {
            return rows(1, shape.kvHeads() * shape.headDim());
        }

        @Override
        public float[] keys() {
            return turned(keysBeforeRope(), shape.kvHeads());
        }

        @Override
        public float[] values() {
            return rows(2, shape.kvHeads() * shape.headDim());
        }

        @Override
        public float[] queriesBeforeRope() {
            int width = shape.heads() * shape.headDim();
            float[] rows = rows(3, width);
            for (int t = 0; t < numbers.length && falling; t++) {
                rows[t * width] = 1000 - numbers[t];
            }
            return rows;
        }

        @Override
        public float[] queries() {
            return turned(queriesBeforeRope(), shape.heads());
        }

        float[] feed(KvCache cache) {
            float[] out = new float[count() * shape.heads() * shape.headDim()];
            cache.reserve(count());
            cache.layer(0).append(this);
            cache.layer(0).attend(this, out);
            return out;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"exact(f16)", "block(q8_0)", "block(q4_0, rotate=true)", "kivi(k_axis=token, residual=0)"})
    void promptsOfWhichTheSameTokensStayAreTheSame(String store) {
        CacheShape shape = new CacheShape(1, 4, 1, 64, 16);
        String spec = "locret(budget=%d, chunk=8, stabilizers=4, local=4, store=" + store + ")";
        int[] text = IntStream.range(0, 90).toArray();
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec.formatted(25), shape, pool);
                SequenceCache shorter = create(spec.formatted(500), shape, pool)) {
            new Named(shape, 0, text).feed(cache);
            int[] stayed =
                    kept(cache, 0, 0).stream().mapToInt(Integer::intValue).toArray();
            assertThat(stayed).hasSize(29).isSorted();
            new Named(shape, 0, stayed).feed(shorter);

            float[] one = new float[64];
            float[] other = new float[64];
            RowStore a = (RowStore) layer(cache, 0).kept().store().head(0).keys();
            RowStore b = (RowStore) layer(shorter, 0).kept().store().head(0).keys();
            for (int slot = 0; slot < stayed.length; slot++) {
                a.row(slot, one, 0, new Scratch());
                b.row(slot, other, 0, new Scratch());
                assertThat(one).isEqualTo(other);
                assertThat(layer(cache, 0).kept().history(0, slot))
                        .isEqualTo(layer(shorter, 0).kept().history(0, slot));
            }
            float[] next = new Named(shape, 90, 90).feed(cache);
            Steps.assertClose(next, new Named(shape, 29, 90).feed(shorter), 1e-5);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "exact(f16), 2e-3",
        "block(q8_0), 0.02",
        "'block(q5_0, rotate=true)', 0.12",
        "'kivi(bits=8, k_axis=token, residual=0)', 0.02"
    })
    void anyStoreOfSingleTokensServes(String store, double tolerance) {
        LocretReference reference = new LocretReference(SHAPE, steps, MadeUpHeads.heads(SHAPE, WIDTH), 40, 10, 10, 8);
        String spec = "locret(budget=40, chunk=10, stabilizers=10, local=8, store=" + store + ")";
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, pool)) {
            for (int count : new int[] {100, 1, 1, 30, 1}) {
                Steps.assertClose(steps.feed(cache, count), reference.feed(count), tolerance);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "locret",
                "locret(0.5, local=5)",
                "locret(budget=100, chunk=0.3, stabilizers=0)",
                "locret(0.3, store=block(q4_0))"
            })
    void allocatesWhatTheFormulaSaysOfAPrompt(String spec) {
        for (int tokens : new int[] {1, 2, 16, 17, 100, 129, 700, 1025}) {
            PagePool pool = Steps.pool();
            try (KvCache cache = create(spec, pool)) {
                steps.feed(cache, tokens);
                assertThat(cache.footprint()).isEqualTo(Caches.estimate(cache.spec(), SHAPE, tokens));
                for (int i = 0; i < 3; i++) {
                    assertThat(pool.usedBytes()).isEqualTo(cache.footprint().total());
                    steps.feed(cache, 1 + 40 * i);
                }
                assertThat(pool.usedBytes()).isEqualTo(cache.footprint().total());
            }
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @Test
    void bytesOfAHeadAreThoseOfItsSlotsAndTheirScores() {
        try (PagePool pool = Steps.pool();
                KvCache cache = create("locret(budget=512, local=64)", pool)) {
            steps.feed(cache, 4096);
            // 576 slots: 9 pages of 64 tokens, keys and values in two bytes; positions and scores in pages of 256.
            assertThat(cache.footprint().codes()).isEqualTo(2L * 2 * 9 * 64 * 64 * 2 * 2);
            assertThat(cache.footprint().indices()).isEqualTo(2L * 2 * 2 * 3 * 256 * 4);
        }
    }

    @Test
    void rollsBackToTheEndOfTheLastChunkThatSomethingWentFrom() {
        try (PagePool pool = Steps.pool();
                KvCache cache = create("locret(budget=40, chunk=10, local=8)", pool);
                KvCache twin = create("locret(budget=40, chunk=10, local=8)", pool)) {
            steps.feed(cache, 100);
            steps.feed(twin, 100);
            assertThat(cache.rollbackLimit()).isEqualTo(8);
            for (int i = 0; i < 5; i++) {
                steps.feed(cache, 1);
            }
            assertThat(cache.rollbackLimit()).isEqualTo(13);
            cache.rollback(5);
            assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
            assertThat(steps.feed(cache, 50)).isEqualTo(steps.feed(twin, 50));
            assertThatThrownBy(() -> cache.rollback(9))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("0 to 8");
        }
    }

    @Test
    void resultsDoNotDependOnTheThreads() {
        CacheShape shape = new CacheShape(1, 8, 4, 128, 16);
        Steps states = new Steps(shape, 6);
        CacheSpec spec = CacheSpec.parse("locret(0.25)");
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                KvCache cache = Caches.create(spec, model(shape), pool, Steps.sequential());
                KvCache parallel = Caches.create(spec, model(shape), pool, two)) {
            for (int count : new int[] {500, 1, 60, 1}) {
                assertThat(states.feed(parallel, count)).isEqualTo(states.feed(cache, count));
            }
        }
    }

    @Test
    void aStepThatIsCutRunsAlone() {
        try (PagePool pool = Steps.pool();
                KvCache cache = create("locret(budget=40, chunk=10, local=8)", pool)) {
            // Its later chunks read what the earlier ones left: not what an exact cache would give them.
            assertThat(cache.storesFirst(100)).isTrue();
            assertThat(cache.storesFirst(8)).isFalse();
            assertThat(cache.storesFirst(1)).isFalse();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "'locret(0)', 'keep=0'",
        "'locret(chunk=0)', 'chunk=0'",
        "'locret(local=0)', 'local=0'",
        "'locret(budget=10, stabilizers=11)', 'at most the budget of 10'",
        "'locret(store=kivi)', 'locret lets single tokens go, but kivi'",
        "'locret(store=gear)', 'locret cannot store in gear'"
    })
    void refusesWhatCannotBe(String spec, String said) {
        assertThatThrownBy(() -> create(spec, Steps.pool()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(said);
    }

    @Test
    void headsOfAnotherShapeOrNoneAreRefused() {
        Calibration other = MadeUpHeads.calibration(new CacheShape(2, 4, 4, 64, 16), Calibrated.FINGERPRINT, 8);
        CacheSpec spec = CacheSpec.parse("locret");
        assertThatThrownBy(() -> Caches.create(
                        spec, Calibrated.with(SHAPE, (method, file) -> other), Steps.pool(), Steps.sequential()))
                .isInstanceOf(Calibration.CalibrationException.class)
                .hasMessageContaining("layer.0.w1 has shape [768, 8], expected [512, 8]");
        Map<String, Calibration.Tensor> some = new LinkedHashMap<>(
                MadeUpHeads.calibration(SHAPE, Calibrated.FINGERPRINT, 8).tensors());
        some.remove("layer.1.w1");
        Calibration lacking = new Calibration("locret", Map.of(), Calibrated.FINGERPRINT, some);
        assertThatThrownBy(() -> Caches.create(
                        spec, Calibrated.with(SHAPE, (method, file) -> lacking), Steps.pool(), Steps.sequential()))
                .isInstanceOf(Calibration.CalibrationException.class)
                .hasMessageContaining("layer.1.w1 must be [512, width], found none");
        assertThatThrownBy(() -> Caches.create(spec, SHAPE, Steps.pool(), Steps.sequential()))
                .isInstanceOf(Calibration.CalibrationException.class)
                .hasMessageContaining("make one with kvasir train heads");
        assertThatThrownBy(() -> Caches.calibrator(spec, Calibrated.with(SHAPE, Calibrations.NONE), "x"))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("kvasir train heads");
    }
}
