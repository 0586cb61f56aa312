package dev.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheBudgetException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.TestModels;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RotaryTable;
import dev.kvasir.tensor.Workers;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class CalibrationRunTest {
    private static final ModelConfig CONFIG = TestModels.config(40, 3, 4, 2, 10);
    private static final Model MODEL = TestModels.random(CONFIG, DType.F32, 7);
    private static final List<int[]> SEQUENCES = List.of(ids(1, 37), ids(2, 2), ids(3, 64));

    private static int[] ids(long seed, int count) {
        return new SplittableRandom(seed)
                .ints(count, 0, CONFIG.vocabularySize())
                .toArray();
    }

    /** What one call of {@code see} was given. */
    private record Seen(
            int pass,
            int layer,
            int count,
            int firstPosition,
            float[] input,
            float[] keysBeforeRope,
            float[] keys,
            float[] values,
            float[] queries,
            float[] sensitivity) {}

    /** Keeps everything it is shown. */
    private static final class Recorder implements Calibrator {
        private final int passes;
        private final boolean sensitive;
        private final List<Seen> seen = new ArrayList<>();
        private final List<Integer> begun = new ArrayList<>();

        Recorder(int passes, boolean sensitive) {
            this.passes = passes;
            this.sensitive = sensitive;
        }

        @Override
        public int passes() {
            return passes;
        }

        @Override
        public boolean wantsSensitivity(int pass) {
            return sensitive && pass == passes - 1;
        }

        @Override
        public void begin(int pass) {
            begun.add(pass);
        }

        @Override
        public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
            int n = states.count();
            int width = CONFIG.kvHeads() * CONFIG.headDim();
            boolean none = sensitivity.equals(Sensitivity.NONE);
            seen.add(new Seen(
                    begun.getLast(),
                    layer,
                    n,
                    states.firstPosition(),
                    Arrays.copyOf(states.input(), n * CONFIG.hiddenSize()),
                    Arrays.copyOf(states.keysBeforeRope(), n * width),
                    Arrays.copyOf(states.keys(), n * width),
                    Arrays.copyOf(states.values(), n * width),
                    Arrays.copyOf(queries.queries(), n * CONFIG.heads() * CONFIG.headDim()),
                    none ? new float[0] : sensitivity.keys()));
        }

        @Override
        public Calibration finish() {
            return new Calibration(
                    "test", Map.of(), "f", Map.of("calls", Calibration.Tensor.of(new float[] {seen.size()}, 1)));
        }
    }

    private static Recorder record(int threads, int passes) {
        Recorder recorder = new Recorder(passes, false);
        run(threads, recorder, SEQUENCES, SensitivitySource.NONE, CalibrationRun.Listener.NONE);
        return recorder;
    }

    private static Calibration run(
            int threads,
            Calibrator calibrator,
            List<int[]> sequences,
            SensitivitySource source,
            CalibrationRun.Listener listener) {
        try (Workers workers = Workers.of(threads);
                PagePool pool = new PagePool(1 << 22)) {
            Calibration made = new CalibrationRun(MODEL, pool, workers).run(calibrator, sequences, source, listener);
            assertThat(pool.usedBytes()).isZero();
            return made;
        }
    }

    @Test
    void everyLayerIsSeenOncePerSequenceAndPass() {
        Recorder recorder = new Recorder(2, false);
        Calibration made = run(1, recorder, SEQUENCES, SensitivitySource.NONE, CalibrationRun.Listener.NONE);

        List<List<Integer>> expected = new ArrayList<>();
        for (int pass = 0; pass < 2; pass++) {
            for (int[] sequence : SEQUENCES) {
                for (int layer = 0; layer < CONFIG.layers(); layer++) {
                    expected.add(List.of(pass, layer, sequence.length, 0));
                }
            }
        }
        assertThat(recorder.begun).containsExactly(0, 1);
        assertThat(recorder.seen.stream()
                        .map(s -> List.of(s.pass(), s.layer(), s.count(), s.firstPosition()))
                        .toList())
                .isEqualTo(expected);
        assertThat(made.data("calls", 1)).containsExactly(expected.size());
    }

    @Test
    void statesAreTheProjectionsOfTheLayersInput() {
        for (Seen seen : record(2, 1).seen) {
            var layer = MODEL.weights().layers().get(seen.layer());
            int width = CONFIG.kvHeads() * CONFIG.headDim();
            RotaryTable rotary = new RotaryTable(CONFIG.rotaryFrequencies(0));
            rotary.reach(seen.count());
            for (int t = 0; t < seen.count(); t++) {
                float[] key = product(layer.k(), seen.input(), t);
                assertThat(Arrays.copyOfRange(seen.keysBeforeRope(), t * width, (t + 1) * width))
                        .containsExactly(key, within());
                assertThat(Arrays.copyOfRange(seen.values(), t * width, (t + 1) * width))
                        .containsExactly(product(layer.v(), seen.input(), t), within());
                float[] query = product(layer.q(), seen.input(), t);
                rotary.rotate(t, CONFIG.kvHeads(), key, 0, key, 0);
                rotary.rotate(t, CONFIG.heads(), query, 0, query, 0);
                assertThat(Arrays.copyOfRange(seen.keys(), t * width, (t + 1) * width))
                        .containsExactly(key, within());
                assertThat(Arrays.copyOfRange(seen.queries(), t * query.length, (t + 1) * query.length))
                        .containsExactly(query, within());
            }
        }
    }

    private static org.assertj.core.data.Offset<Float> within() {
        return org.assertj.core.data.Offset.offset(1e-4f);
    }

    private static float[] product(Matrix matrix, float[] input, int token) {
        float[] out = new float[matrix.rows()];
        for (int r = 0; r < out.length; r++) {
            double sum = 0;
            for (int c = 0; c < matrix.columns(); c++) {
                sum += TestModels.element(matrix, r, c) * input[token * matrix.columns() + c];
            }
            out[r] = (float) sum;
        }
        return out;
    }

    @Test
    void watchingDoesNotChangeTheDecodersStates() {
        // The states of the last layer depend on all attention before it: compare with keys that a plain run stores.
        Recorder recorder = record(1, 1);
        int[] tokens = SEQUENCES.get(2);
        try (Workers workers = Workers.of(1);
                PagePool pool = new PagePool(1 << 22);
                KvCache exact = Caches.create(CacheSpec.parse("exact(dtype=f32)"), MODEL.cacheModel(), pool, workers)) {
            List<float[]> inputs = new ArrayList<>();
            KvCache watched = new WatchedCache(
                    exact,
                    (layer, states, queries) ->
                            inputs.add(Arrays.copyOf(states.input(), states.count() * CONFIG.hiddenSize())));
            float[] logits = new float[CONFIG.vocabularySize()];
            new Decoder(MODEL, workers).forward(watched, tokens, 0, tokens.length, logits);
            float[] plain = new float[CONFIG.vocabularySize()];
            try (KvCache unwatched =
                    Caches.create(CacheSpec.parse("exact(dtype=f32)"), MODEL.cacheModel(), pool, workers)) {
                new Decoder(MODEL, workers).forward(unwatched, tokens, 0, tokens.length, plain);
            }

            assertThat(logits).containsExactly(plain);
            for (int layer = 0; layer < CONFIG.layers(); layer++) {
                assertThat(recorder.seen.get(2 * CONFIG.layers() + layer).input())
                        .containsExactly(inputs.get(layer));
            }
        }
    }

    @Test
    void whatIsSeenDoesNotDependOnThreadsOrPass() {
        List<Seen> one = record(1, 2).seen;
        List<Seen> three = record(3, 2).seen;

        assertThat(three).usingRecursiveComparison().isEqualTo(one);
        int half = one.size() / 2;
        assertThat(one.subList(half, one.size()))
                .usingRecursiveComparison()
                .ignoringFields("pass")
                .isEqualTo(one.subList(0, half));
    }

    @Test
    void sensitivitiesReachTheirLayerInThePassThatWantsThem() {
        List<int[]> asked = new ArrayList<>();
        SensitivitySource source = tokens -> {
            asked.add(tokens);
            List<Calibrator.Sensitivity> layers = new ArrayList<>();
            for (int layer = 0; layer < CONFIG.layers(); layer++) {
                float[] keys = {100 * tokens.length + layer};
                layers.add(new Calibrator.Sensitivity() {
                    @Override
                    public float[] keys() {
                        return keys;
                    }

                    @Override
                    public float[] values() {
                        return keys;
                    }
                });
            }
            return layers;
        };
        Recorder recorder = new Recorder(2, true);
        run(1, recorder, SEQUENCES, source, CalibrationRun.Listener.NONE);

        assertThat(asked).containsExactlyElementsOf(SEQUENCES);
        for (Seen seen : recorder.seen) {
            float[] expected = seen.pass() == 0 ? new float[0] : new float[] {100 * seen.count() + seen.layer()};
            assertThat(seen.sensitivity()).containsExactly(expected);
        }
    }

    @Test
    void progressCountsTheTokensOfEveryPass() {
        List<List<Long>> reports = new ArrayList<>();
        run(1, new Recorder(2, false), SEQUENCES, SensitivitySource.NONE, (pass, passes, done, total, perSecond) -> {
            assertThat(passes).isEqualTo(2);
            assertThat(total).isEqualTo(103);
            assertThat(perSecond > 0).isEqualTo(done > 0);
            reports.add(List.of((long) pass, done));
        });

        assertThat(reports)
                .containsExactly(
                        List.of(0L, 0L),
                        List.of(0L, 37L),
                        List.of(0L, 39L),
                        List.of(0L, 103L),
                        List.of(1L, 0L),
                        List.of(1L, 37L),
                        List.of(1L, 39L),
                        List.of(1L, 103L));
    }

    @Test
    void whatCannotServeIsRefusedBeforeTheWork() {
        refused(List.of(), false, "at least 1 sequence");
        refused(List.of(ids(1, 20), ids(1, 1)), false, "2 to 512 tokens", "found 1");
        refused(List.of(ids(1, 513)), false, "2 to 512 tokens", "found 513");
        refused(List.of(new int[] {1, 97}), false, "0 to 96", "found 97");
        refused(SEQUENCES, true, "gradients");
    }

    private static void refused(List<int[]> sequences, boolean sensitive, String... said) {
        Recorder recorder = new Recorder(1, sensitive);
        assertThatThrownBy(() -> run(1, recorder, sequences, SensitivitySource.NONE, CalibrationRun.Listener.NONE))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll(said);
        assertThat(recorder.begun).isEmpty();
    }

    @Test
    void budgetTooSmallForASequenceIsTyped() {
        try (Workers workers = Workers.of(1);
                PagePool pool = new PagePool(1000)) {
            CalibrationRun run = new CalibrationRun(MODEL, pool, workers);

            assertThatThrownBy(() -> run.run(
                            new Recorder(1, false), SEQUENCES, SensitivitySource.NONE, CalibrationRun.Listener.NONE))
                    .isInstanceOf(CacheBudgetException.class);
            assertThat(pool.usedBytes()).isZero();
        }
    }
}
