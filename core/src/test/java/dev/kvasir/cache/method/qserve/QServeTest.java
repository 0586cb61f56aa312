package dev.kvasir.cache.method.qserve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibration.CalibrationException;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Calibrator.Sensitivity;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.store.ReadBack;
import dev.kvasir.tensor.RotaryTable;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What qserve.md's KV part holds a cache to: the bounds of its codes, the bytes of its pages, the gain of smoothing. */
final class QServeTest {
    private static final int D = 128;
    private static final CacheShape SHAPE = new CacheShape(1, 4, 2, D, 8);

    @ParameterizedTest
    @ValueSource(ints = {4, 8})
    void everyElementIsWithinHalfAStep(int bits) {
        Random random = new Random(bits);
        float[] rows = new float[150 * 2 * D];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = (float) random.nextGaussian() * (i % 37 == 1 ? 20 : 1) + (i / D % 5);
        }
        // Rows that tempt a code to wrap or a step to vanish: constant, zero, one far away from the others.
        java.util.Arrays.fill(rows, 0, D, 3.7f);
        java.util.Arrays.fill(rows, D, 2 * D, 0f);
        java.util.Arrays.fill(rows, 2 * D, 3 * D, -1e-3f);
        rows[2 * D + 5] = 1e4f;
        try (PagePool pool = Steps.pool();
                KvCache cache = create("qserve(" + bits + ", smooth=false)", SHAPE, null, pool)) {
            OneStep.store(cache, rows, rows);
            for (int h = 0; h < 2; h++) {
                var store = ((SequenceCache) cache).store(0);
                check(ReadBack.keys(store.keys(h), D), rows, h, bits);
                check(ReadBack.values(store.values(h), D), rows, h, bits);
            }
        }
    }

    private static void check(float[][] found, float[] rows, int head, int bits) {
        for (int t = 0; t < found.length; t++) {
            int row = (t * 2 + head) * D;
            float min = Float.POSITIVE_INFINITY;
            float max = Float.NEGATIVE_INFINITY;
            for (int c = 0; c < D; c++) {
                min = Math.min(min, rows[row + c]);
                max = Math.max(max, rows[row + c]);
            }
            double step = (max - min) / ((1 << bits) - 1);
            // Scale and zero are F16: a relative 2^-11 each of what they are multiplied to.
            double slack = Math.max(Math.abs(min), Math.abs(max)) * 3 / 2048 + (max - min) / 1024 + 1e-6;
            for (int c = 0; c < D; c++) {
                assertThat(Math.abs(found[t][c] - rows[row + c])).isLessThanOrEqualTo((float) (step / 2 + slack));
            }
        }
    }

    @Test
    void smoothingTakesTheErrorOutOfPlantedChannels() {
        Random random = new Random(6);
        float[] keys = gaussian(400 * 2 * D, random);
        for (int i = 0; i < keys.length; i++) {
            keys[i] *= i % D % 40 == 7 ? 10 : 1;
        }
        Calibration calibration = calibrate(keys);
        float[] query = gaussian(D, random);
        assertThat(scoreError("qserve", calibration, keys, query))
                .isLessThan(0.6 * scoreError("qserve(smooth=false)", null, keys, query));
    }

    @Test
    void smoothingIsTiedAcrossRotaryPairsAndLeavesCalmChannelsAlike() {
        float[] keys = gaussian(300 * 2 * D, new Random(8));
        for (int t = 0; t < 300; t++) {
            keys[t * 2 * D + 3] *= 25;
        }
        float[] factors = calibrate(keys).data("layer.0.lambda", 2, D);
        assertThat(factors[3]).isEqualTo(factors[3 + D / 2]).isGreaterThan(3 * factors[4]);
        assertThat(factors[D + 3]).isLessThan(2.5f);
    }

    private static Calibration calibrate(float[] keys) {
        CacheMethod method = Caches.method("qserve");
        Calibrator calibrator = Caches.calibrator(CacheSpec.parse("qserve"), CacheModel.of(SHAPE), "f");
        calibrator.begin(0);
        int count = keys.length / (2 * D);
        calibrator.see(
                0,
                OneStep.states(0, count, keys, keys),
                OneStep.queries(count, new float[count * 4 * D]),
                Sensitivity.NONE);
        assertThat(method.needsCalibration()).isTrue();
        return calibrator.finish();
    }

    private static double scoreError(
            String spec, @org.jspecify.annotations.Nullable Calibration calibration, float[] keys, float[] query) {
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, SHAPE, calibration, pool)) {
            OneStep.store(cache, keys, keys);
            float[][] found = ReadBack.keys(((SequenceCache) cache).store(0).keys(1), D);
            double error = 0;
            for (int t = 0; t < found.length; t++) {
                double difference = 0;
                for (int c = 0; c < D; c++) {
                    // Queries are small where keys are large, as SmoothAttention finds them.
                    double q = query[c] / (c % 40 == 7 ? 10 : 1);
                    difference += q * (found[t][c] - keys[(t * 2 + 1) * D + c]);
                }
                error += difference * difference;
            }
            return error;
        }
    }

    @Test
    void bytesAreThoseOfThePaper() {
        // Llama-3-8B: 8 KV heads of 128, pages of 64 tokens of 34,816 bytes a side.
        CacheShape llama = new CacheShape(1, 32, 8, 128, 4096);
        assertThat(Caches.estimateBytes(CacheSpec.parse("qserve"), llama, 64)).isEqualTo(2 * 34_816);
        assertThat(Caches.estimate(CacheSpec.parse("qserve"), llama, 6400).bitsPerElement(llama, 6400))
                .isEqualTo(4.25);
        assertThat(Caches.estimate(CacheSpec.parse("qserve(8)"), llama, 6400).bitsPerElement(llama, 6400))
                .isEqualTo(8.25);
    }

    @Test
    void wantsItsCalibrationAndChecksIt() {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> create("qserve", SHAPE, null, pool))
                    .isInstanceOf(CalibrationException.class)
                    .hasMessageContaining("kvasir calibrate qserve");
            Calibration damaged = new Calibration(
                    "qserve", Map.of(), "f", Map.of("layer.0.lambda", Calibration.Tensor.of(new float[2 * D], 2, D)));
            assertThatThrownBy(() -> create("qserve", SHAPE, damaged, pool))
                    .isInstanceOf(CalibrationException.class)
                    .hasMessageContaining("holds 0.0");
            Calibration other = new Calibration(
                    "qserve", Map.of(), "f", Map.of("layer.0.lambda", Calibration.Tensor.of(new float[D], 1, D)));
            assertThatThrownBy(() -> create("qserve", SHAPE, other, pool))
                    .isInstanceOf(CalibrationException.class)
                    .hasMessageContaining("shape [1, 128]");
        }
    }

    private static KvCache create(
            String spec, CacheShape shape, @org.jspecify.annotations.Nullable Calibration calibration, PagePool pool) {
        CacheModel plain = CacheModel.of(shape);
        CacheModel model = calibration == null
                ? plain
                : new CacheModel(shape, RotaryTable.of(shape.headDim(), 10_000), OneStep.calibrations(calibration));
        return Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential());
    }

    private static float[] gaussian(int count, Random random) {
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }
}
