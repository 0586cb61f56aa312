package dev.kvasir.cache.method.cskv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrated;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.MadeUpWeights;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.store.ReadBack;
import dev.kvasir.tensor.Workers;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CskvTest {
    private static final CacheShape SHAPE = new CacheShape(2, 4, 2, 32, 96);
    private static final CacheModel MODEL = Calibrated.model(SHAPE);

    private final Steps steps = Steps.projected(SHAPE, 3);

    private static KvCache create(String spec, PagePool pool) {
        return Caches.create(CacheSpec.parse(spec), MODEL, pool, Steps.sequential());
    }

    /** A model of that shape whose factors were made for the spec. */
    private static CacheModel modelFor(CacheShape shape, String spec) {
        return MadeUpWeights.model(shape, OneStep.calibrations(Calibrated.calibration(shape, CacheSpec.parse(spec))));
    }

    @Test
    void allChannelsRebuildKeysAndValues() {
        String spec = "cskv(1, dtype=f32, epochs=0, window=2)";
        try (PagePool pool = Steps.pool();
                KvCache cache = Caches.create(CacheSpec.parse(spec), modelFor(SHAPE, spec), pool, Steps.sequential());
                KvCache exact = create("exact(f32)", pool)) {
            Steps.assertClose(steps.feed(cache, 150), steps.feed(exact, 150), 1e-6);
            for (int layer = 0; layer < SHAPE.layers(); layer++) {
                TokenStates states = steps.states(layer, 0, 150);
                for (int h = 0; h < SHAPE.kvHeads(); h++) {
                    Steps.assertClose(
                            flat(ReadBack.keys(
                                    ((SequenceCache) cache).store(layer).keys(h), 32)),
                            head(states.keys(), h, 150),
                            1e-4);
                    Steps.assertClose(
                            flat(ReadBack.values(
                                    ((SequenceCache) cache).store(layer).values(h), 32)),
                            head(states.values(), h, 150),
                            1e-4);
                }
            }
            for (int i = 0; i < 5; i++) {
                Steps.assertClose(steps.feed(cache, 1), steps.feed(exact, 1), 1e-4);
            }
        }
    }

    private static float[] flat(float[][] rows) {
        float[] flat = new float[rows.length * rows[0].length];
        for (int i = 0; i < flat.length; i++) {
            flat[i] = rows[i / rows[0].length][i % rows[0].length];
        }
        return flat;
    }

    private static float[] head(float[] rows, int kvHead, int count) {
        float[] head = new float[count * 32];
        for (int i = 0; i < head.length; i++) {
            head[i] = rows[(i / 32 * SHAPE.kvHeads() + kvHead) * 32 + i % 32];
        }
        return head;
    }

    @ParameterizedTest
    @ValueSource(strings = {"cskv(window=400, dtype=f32)", "cskv(window=400, dtype=f32, rule=flush, bits=4)"})
    void aWindowAsLongAsTheTextIsTheBaseline(String spec) {
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, pool);
                KvCache exact = create("exact(f32)", pool)) {
            for (int count : new int[] {170, 1, 30, 1}) {
                Steps.assertClose(steps.feed(cache, count), steps.feed(exact, count), 2e-6);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cskv", "cskv(bits=4)", "cskv(rule=flush, bits=8, window=5)"})
    void aPromptSeesItselfExactly(String spec) {
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, pool);
                KvCache exact = create("exact(f32)", pool)) {
            assertThat(steps.feed(cache, 333)).isEqualTo(steps.feed(exact, 333));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cskv",
                "cskv(bits=4, window=50)",
                "cskv(k_bits=8, v_bits=4, rule=flush, window=24)",
                "cskv(k_bits=4, v_bits=16, block=64, qat=false, rollback=7)",
                "cskv(0.5, window=2, dtype=bf16)",
                "cskv(k_density=0.3, v_density=0.7, bits=4)"
            })
    void outputsEqualAPlainReference(String spec) {
        CacheModel model = modelFor(SHAPE, spec);
        Reference reference = new Reference(model, Caches.complete(CacheSpec.parse(spec)));
        try (PagePool pool = Steps.pool();
                KvCache cache = Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential())) {
            for (int count : new int[] {1, 77, 1, 3, 40, 1, 130, 1, 1}) {
                float[] expected = reference.expected(steps, cache.length(), count);
                Steps.assertClose(steps.feed(cache, count), expected, 5e-4);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "4, 4, 64, 128",
        "8, 2, 64, 96",
        "4, 2, 80, 200",
        "3, 1, 96, 64",
        "4, 1, 128, 192",
        "2, 1, 256, 300",
        "5, 5, 40, 48"
    })
    void servesManyShapes(int heads, int kvHeads, int headDim, int hidden) {
        CacheShape shape = new CacheShape(1, heads, kvHeads, headDim, hidden);
        CacheModel model = Calibrated.model(shape);
        Steps made = Steps.projected(shape, 8);
        for (String spec : List.of("cskv", "cskv(bits=4)", "cskv(bits=8, rule=flush, window=33)")) {
            PagePool pool = Steps.pool();
            try (Workers two = Steps.twoThreads();
                    KvCache cache = Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential());
                    KvCache parallel = Caches.create(CacheSpec.parse(spec), model, pool, two)) {
                for (int count : new int[] {131, 1, 5, 60, 1}) {
                    float[] expected = made.expectedByReading((SequenceCache) cache, count);
                    float[] found = made.feed(cache, count);
                    Steps.assertClose(found, expected, 2e-5);
                    assertThat(made.feed(parallel, count)).isEqualTo(found);
                    assertThat(cache.footprint().plus(parallel.footprint()).total())
                            .isEqualTo(pool.usedBytes())
                            .isEqualTo(2 * Caches.estimateBytes(CacheSpec.parse(spec), shape, cache.length()));
                }
            }
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @Test
    void bitsAreThePapersFormula() {
        CacheShape shape = new CacheShape(3, 32, 8, 128, 4096);
        assertThat(bits("cskv", shape)).isCloseTo(3.25, within(1e-9));
        // K 25/128 (4 + 1), V 25/128 4 + 8 groups of 32 bits in 1024 numbers; the window.
        double codes = (25 / 128.0 * 5 + (25 / 128.0 * 4 + 8 * 32 / 1024.0)) / 2;
        assertThat(bits("cskv(bits=4)", shape)).isCloseTo(codes + 0.125, within(1e-9));
        assertThat(bits("cskv(bits=4)", shape)).isCloseTo(1.13, within(0.005));
        Footprint quantized = Caches.estimate(CacheSpec.parse("cskv(bits=4)"), shape, 4096);
        assertThat(quantized.windows()).isEqualTo(3L * 32 * 2 * 1024 * 2);
        // A begun block is as it was.
        Footprint begun = Caches.estimate(CacheSpec.parse("cskv(bits=4)"), shape, 4096 + 5);
        assertThat(begun.windows() - quantized.windows()).isEqualTo(3L * 32 * 2 * 200 * 2);
    }

    private static double bits(String spec, CacheShape shape) {
        return Caches.estimate(CacheSpec.parse(spec), shape, 4096).bitsPerElement(shape, 4096);
    }

    @Test
    void factorsAreCountedApart() {
        CskvPlan plan = CskvPlan.of(Steps.settings("cskv"), SHAPE);
        long bytes = LayerFactors.of(plan, MODEL.calibrations().find("cskv", "")).stream()
                .mapToLong(layer -> layer.keys().bytes() + layer.values().bytes())
                .sum();
        assertThat(plan.factorBytes()).isEqualTo(bytes);
    }

    @ParameterizedTest
    @CsvSource({"sliding, 20", "flush, 20", "sliding, 33", "flush, 32"})
    void theWindowHoldsWhatItsRuleSays(String rule, int window) {
        String spec = "cskv(rule=" + rule + ", window=" + window + ", dtype=f32, bits=4)";
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, pool)) {
            for (int count : new int[] {7, 1, 25, 1, 1, 60, 1, 5}) {
                steps.feed(cache, count);
                int length = cache.length();
                int exact = rule.equals("sliding") ? Math.min(window, length) : length % window;
                CskvLayer layer = (CskvLayer) ((SequenceCache) cache).store(1);
                assertThat(length - layer.firstExact()).isEqualTo(exact);
                float[][] keys = ReadBack.keys(layer.keys(1), 32);
                float[][] values = ReadBack.values(layer.values(1), 32);
                TokenStates states = steps.states(1, 0, length);
                for (int t = 0; t < length; t++) {
                    float[] key = row(states.keys(), t);
                    float[] value = row(states.values(), t);
                    if (t >= length - exact) {
                        Steps.assertClose(keys[t], key, 1e-6);
                        Steps.assertClose(values[t], value, 1e-6);
                    } else {
                        assertThat(distance(keys[t], key)).isGreaterThan(0.05);
                        assertThat(distance(values[t], value)).isGreaterThan(0.05);
                    }
                }
            }
        }
    }

    /** Of head 1. */
    private static float[] row(float[] rows, int token) {
        return java.util.Arrays.copyOfRange(rows, (token * 2 + 1) * 32, (token * 2 + 2) * 32);
    }

    private static double distance(float[] found, float[] expected) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < expected.length; i++) {
            difference += Math.pow(found[i] - (double) expected[i], 2);
            norm += expected[i] * (double) expected[i];
        }
        return Math.sqrt(difference / norm);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cskv", "cskv(bits=4, window=40)", "cskv(k_bits=8, v_bits=4, block=64, rule=flush)"})
    void whatIsStoredDoesNotDependOnHowItCame(String spec) {
        CacheModel model = modelFor(SHAPE, spec);
        try (PagePool pool = Steps.pool();
                KvCache whole = Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential());
                KvCache cut = Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential())) {
            steps.feed(whole, 300);
            Random random = new Random(4);
            while (cut.length() < 300) {
                steps.feed(cut, Math.min(300 - cut.length(), 1 + random.nextInt(70)));
            }
            for (int i = 0; i < 40; i++) {
                assertThat(steps.feed(cut, 1)).isEqualTo(steps.feed(whole, 1));
            }
        }
    }

    private static byte[] saved(KvCache cache) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        cache.save(out, "model-1");
        return out.toByteArray();
    }

    @Test
    void aRollbackIsRefusedWhereExactTokensAreGone() throws IOException {
        try (PagePool pool = Steps.pool();
                KvCache plain = create("cskv", pool);
                KvCache cache = create("cskv(rollback=10)", pool);
                KvCache twin = create("cskv(rollback=10)", pool)) {
            steps.feed(plain, 32);
            assertThat(plain.rollbackLimit()).isEqualTo(32);
            steps.feed(plain, 8);
            assertThat(plain.rollbackLimit()).isZero();
            assertThatThrownBy(() -> plain.rollback(1)).isInstanceOf(InvalidInputException.class);
            steps.feed(cache, 100);
            steps.feed(twin, 94);
            assertThat(cache.rollbackLimit()).isEqualTo(10);
            cache.rollback(6);
            assertThat(cache.rollbackLimit()).isEqualTo(4);
            for (int i = 0; i < 50; i++) {
                assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
            }
            assertThat(saved(cache)).isEqualTo(saved(twin));
        }
    }

    @Test
    void errorsFallWithRankWindowAndBits() {
        double last = Double.MAX_VALUE;
        for (String density : List.of("0.1", "0.2", "0.4", "0.7", "1")) {
            String spec = "cskv(" + density + ", epochs=0)";
            double error = error(spec, modelFor(SHAPE, spec));
            assertThat(error).isLessThan(last);
            last = error;
        }
        last = Double.MAX_VALUE;
        for (int window : new int[] {2, 16, 64, 128}) {
            double error = error("cskv(window=" + window + ")", MODEL);
            assertThat(error).isLessThan(last);
            last = error;
        }
        last = Double.MAX_VALUE;
        CacheModel whole = modelFor(SHAPE, "cskv(1, epochs=0)");
        for (String bits : List.of("4", "8", "16")) {
            double error = error("cskv(1, qat=false, bits=" + bits + ")", whole);
            assertThat(error).isLessThan(last);
            last = error;
        }
    }

    /** Of the next tokens' outputs after 200, against the exact cache. */
    private double error(String spec, CacheModel model) {
        try (PagePool pool = Steps.pool();
                KvCache cache = Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential());
                KvCache exact = create("exact(f32)", pool)) {
            steps.feed(cache, 200);
            steps.feed(exact, 200);
            double sum = 0;
            for (int i = 0; i < 10; i++) {
                sum += distance(steps.feed(cache, 1), steps.feed(exact, 1));
            }
            return sum;
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "cskv(0.04)|allowed: 0.05 to 1",
                "cskv(v_density=1.5)|allowed: 0.05 to 1",
                "cskv(window=1)|allowed: 2 to 4096",
                "cskv(window=5000)|allowed: 2 to 4096",
                "cskv(rollback=5000)|allowed: 0 to 4096",
                "cskv(bits=3)|allowed: 16, 8, 4",
                "cskv(block=40)|allowed: 32, 64, 128"
            })
    void saysWhatIsWrongWithItsOptions(String spec, String problem) {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> create(spec, pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining(problem);
        }
    }

    @Test
    void aCalibrationOfOtherRanksOrBlocksIsRefused() {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> create("cskv(0.5)", pool))
                    .isInstanceOf(Calibration.CalibrationException.class)
                    .hasMessageContainingAll("k_density=0.2", "kvasir calibrate");
            assertThatThrownBy(() -> create("cskv(bits=4, block=64)", pool))
                    .isInstanceOf(Calibration.CalibrationException.class)
                    .hasMessageContainingAll("block=32", "block=64");
            create("cskv(bits=4, block=64, qat=false)", pool).close();
            CacheModel empty = MadeUpWeights.model(
                    SHAPE, OneStep.calibrations(new Calibration("cskv", Map.of("block", "32"), "x", Map.of())));
            assertThatThrownBy(() -> Caches.create(CacheSpec.parse("cskv"), empty, pool, Steps.sequential()))
                    .isInstanceOf(Calibration.CalibrationException.class)
                    .hasMessageContaining("missing");
        }
    }

    @Test
    void aCacheOfOtherFactorsIsRefused() throws IOException {
        CacheModel other = modelFor(SHAPE, "cskv(init=svd)");
        try (PagePool pool = Steps.pool();
                KvCache cache = create("cskv", pool)) {
            steps.feed(cache, 70);
            byte[] bytes = saved(cache);
            long used = pool.usedBytes();
            assertThatThrownBy(() ->
                            Caches.load(new ByteArrayInputStream(bytes), "model-1", other, pool, Steps.sequential()))
                    .isInstanceOf(CacheFileException.class)
                    .hasMessageContaining("another calibration");
            assertThat(pool.usedBytes()).isEqualTo(used);
        }
    }
}
