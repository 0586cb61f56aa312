package dev.kvasir.cache.method.bfp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
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
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What bfp.md holds the formats and the order of channels to. */
final class BfpTest {
    private static final int D = 128;
    private static final CacheShape SHAPE = new CacheShape(1, 1, 1, D, 8);

    @ParameterizedTest
    @CsvSource({"bfp12, 4, 32", "bfp12, 4, 128", "bfp14, 6, 16", "bfp16, 8, 64"})
    void elementsAreWithinHalfAStepOrClippedAtTheTop(String format, int bits, int block) {
        float[] rows = spread(200, new Random(bits));
        float[][] found = keys("bfp(" + format + ", block=" + block + ")", null, rows);
        for (int t = 0; t < found.length; t++) {
            for (int b = 0; b < D; b += block) {
                float most = 0;
                for (int c = b; c < b + block; c++) {
                    most = Math.max(most, Math.abs(rows[t * D + c]));
                }
                double step = Math.scalb(1.0, Math.getExponent(most) - (bits - 2));
                for (int c = b; c < b + block; c++) {
                    double x = rows[t * D + c];
                    double top = ((1 << (bits - 1)) - 1) * step;
                    double allowed = Math.abs(x) > top ? Math.abs(x) - top : step / 2;
                    assertThat(Math.abs(found[t][c] - x)).isLessThanOrEqualTo(allowed + 1e-12);
                    assertThat(Math.abs(x) > top ? Math.abs(x) - top : 0)
                            .isLessThanOrEqualTo(Math.scalb(1.0, Math.getExponent(most)) * Math.scalb(1.0, 2 - bits));
                }
            }
        }
    }

    @Test
    void encodingAgainChangesNothingAndSignsAreSymmetric() {
        float[] rows = spread(64, new Random(2));
        float[][] once = keys("bfp", null, rows);
        float[] flat = flat(once);
        assertThat(keys("bfp", null, flat)).isDeepEqualTo(once);
        float[] negated = rows.clone();
        for (int i = 0; i < negated.length; i++) {
            negated[i] = -negated[i];
        }
        float[][] mirrored = keys("bfp", null, negated);
        for (int i = 0; i < flat.length; i++) {
            assertThat(mirrored[i / D][i % D]).isEqualTo(flat[i] == 0 ? mirrored[i / D][i % D] : -flat[i]);
        }
        assertThat(flat(keys("bfp", null, new float[40 * D]))).containsOnly(0f);
    }

    @ParameterizedTest
    @ValueSource(strings = {"bfp12", "bfp16"})
    void roundedQueriesGiveExactIntegerProducts(String format) {
        Random random = new Random(4);
        float[] rows = spread(50, random);
        float[] query = spread(1, random);
        try (PagePool pool = Steps.pool();
                KvCache cache = create("bfp(" + format + ", q=bfp16)", null, pool)) {
            OneStep.store(cache, rows, rows);
            var reader = ((SequenceCache) cache).store(0).keys(0);
            float[] prepared = new float[D];
            float[] scores = new float[96];
            var scratch = new dev.kvasir.cache.store.Scratch();
            reader.prepare(query, 0, 1, D, prepared, 0, scratch);
            reader.scores(prepared, 0, 1, 0, 50, scores, 0, 96, scratch);
            float[][] found = keys("bfp(" + format + ")", null, rows);
            new MantissaRounding(D, 32).applyToQueries(query, 0, 1);
            assertThat(prepared).containsExactly(query);
            for (int t = 0; t < 50; t++) {
                double exact = 0;
                double size = 0;
                for (int c = 0; c < D; c++) {
                    exact += query[c] * (double) found[t][c];
                    size += Math.abs(query[c] * (double) found[t][c]);
                }
                assertThat((double) scores[t]).isCloseTo(exact, within(size * 4e-7));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"16, 0.85", "32, 0.85", "64, 0.9"})
    void sortingHelpsPlantedChannelsAndHarmsNoOthers(int block, double gain) {
        Random random = new Random(block);
        float[] planted = gaussian(300 * D, random);
        for (int i = 0; i < planted.length; i++) {
            planted[i] *= i % D % 21 == 4 ? 12 : 1;
        }
        double sorted = productError("bfp(block=" + block + ", sort=post-rope)", planted);
        double unsorted = productError("bfp(block=" + block + ")", planted);
        assertThat(sorted).isLessThan(gain * unsorted);
        float[] calm = gaussian(300 * D, random);
        assertThat(productError("bfp(block=" + block + ", sort=post-rope)", calm))
                .isCloseTo(productError("bfp(block=" + block + ")", calm), within(0.4));
    }

    @Test
    void sortingDoesNothingWhereABlockIsTheHead() {
        float[] rows = spread(50, new Random(7));
        Calibration calibration = calibrate(rows);
        assertThat(keys("bfp(block=128, sort=post-rope)", calibration, rows))
                .isDeepEqualTo(keys("bfp(block=128)", null, rows));
    }

    @Test
    void orderIsTheSameFromEitherHalfOfTheText() {
        Random random = new Random(10);
        float[] rows = gaussian(600 * D, random);
        for (int i = 0; i < rows.length; i++) {
            rows[i] *= i % D % 21 == 4 ? 12 + i % D / 21 : 1;
        }
        float[] first = calibrate(java.util.Arrays.copyOf(rows, 300 * D)).data("layer.0.order", 1, D);
        float[] second =
                calibrate(java.util.Arrays.copyOfRange(rows, 300 * D, 600 * D)).data("layer.0.order", 1, D);
        assertThat(java.util.Arrays.copyOf(first, 6)).containsExactlyInAnyOrder(java.util.Arrays.copyOf(second, 6));
    }

    /** Mean magnitude of the error of inner products with the same Gaussian queries. */
    private static double productError(String spec, float[] rows) {
        float[][] found = keys(spec, calibrate(rows), rows);
        Random random = new Random(77);
        double error = 0;
        for (int t = 0; t < found.length; t++) {
            double difference = 0;
            for (int c = 0; c < D; c++) {
                difference += random.nextGaussian() * (found[t][c] - rows[t * D + c]);
            }
            error += Math.abs(difference);
        }
        return error / found.length;
    }

    private static Calibration calibrate(float[] rows) {
        Calibrator calibrator = Caches.calibrator(CacheSpec.parse("bfp(sort=post-rope)"), CacheModel.of(SHAPE), "f");
        calibrator.begin(0);
        int count = rows.length / D;
        calibrator.see(0, OneStep.states(0, count, rows, rows), OneStep.queries(count, rows), Sensitivity.NONE);
        return calibrator.finish();
    }

    @Test
    void bytesAreMantissasAndAnExponentForEachBlock() {
        CacheShape shape = new CacheShape(3, 8, 4, D, 8);
        String[] specs = {"bfp(block=64)", "bfp", "bfp(bfp16, block=64)", "bfp(bfp14, block=16)"};
        double[] bits = {4.125, 4.25, 8.125, 6.5};
        for (int i = 0; i < specs.length; i++) {
            assertThat(Caches.estimate(CacheSpec.parse(specs[i]), shape, 1280).bitsPerElement(shape, 1280))
                    .as(specs[i])
                    .isEqualTo(bits[i]);
        }
    }

    @Test
    void refusesWhatItCannotServe() {
        CacheShape narrow = new CacheShape(1, 1, 1, 80, 8);
        assertThatThrownBy(() -> Caches.estimate(CacheSpec.parse("bfp"), narrow, 1))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("bfp: k_block=32 does not divide the head's 80 channels; allowed are the divisors of 80"
                        + " among 16, 32, 64, 128");
        assertThat(Caches.estimateBytes(CacheSpec.parse("bfp(block=16)"), narrow, 1))
                .isPositive();
        float[] twice = new float[D];
        Calibration damaged =
                new Calibration("bfp", Map.of(), "f", Map.of("layer.0.order", Calibration.Tensor.of(twice, 1, D)));
        assertThatThrownBy(() -> keys("bfp(sort=post-rope)", damaged, new float[D]))
                .isInstanceOf(Calibration.CalibrationException.class)
                .hasMessageContaining("no permutation");
    }

    private static float[][] keys(
            String spec, @org.jspecify.annotations.Nullable Calibration calibration, float[] rows) {
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, calibration, pool)) {
            OneStep.store(cache, rows, rows);
            return ReadBack.keys(((SequenceCache) cache).store(0).keys(0), D);
        }
    }

    private static KvCache create(
            String spec, @org.jspecify.annotations.Nullable Calibration calibration, PagePool pool) {
        CacheModel model = calibration == null
                ? CacheModel.of(SHAPE)
                : new CacheModel(SHAPE, RotaryTable.of(D, 10_000), OneStep.calibrations(calibration));
        return Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential());
    }

    private static float[] flat(float[][] rows) {
        float[] all = new float[rows.length * D];
        for (int t = 0; t < rows.length; t++) {
            System.arraycopy(rows[t], 0, all, t * D, D);
        }
        return all;
    }

    /** Numbers of many magnitudes. */
    private static float[] spread(int count, Random random) {
        float[] rows = gaussian(count * D, random);
        for (int i = 0; i < rows.length; i++) {
            rows[i] *= (float) Math.exp(2 * random.nextGaussian());
        }
        return rows;
    }

    private static float[] gaussian(int count, Random random) {
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }
}
