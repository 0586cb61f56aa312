package dev.kvasir.cache.method.kvquant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Calibrated;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.codebook.Codebook;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What calibration learns, against the numbers it saw. */
class KvQuantCalibratorTest {
    private static final CacheShape SHAPE = new CacheShape(1, 2, 1, 64, 16);
    private static final int WIDTH = 64;
    private static final int TOKENS = 4000;

    private final Random random = new Random(12);

    /** Channels of Student's t with three degrees of freedom, each with a scale and a middle of its own. */
    private float[] studentT(int tokens) {
        float[] scales = new float[WIDTH];
        float[] middles = new float[WIDTH];
        for (int c = 0; c < WIDTH; c++) {
            scales[c] = (float) Math.exp(random.nextGaussian());
            middles[c] = (float) random.nextGaussian() * 5;
        }
        float[] rows = new float[tokens * WIDTH];
        for (int i = 0; i < rows.length; i++) {
            double squares = 0;
            for (int d = 0; d < 3; d++) {
                double x = random.nextGaussian();
                squares += x * x;
            }
            double t = random.nextGaussian() / Math.sqrt(squares / 3);
            rows[i] = middles[i % WIDTH] + scales[i % WIDTH] * (float) t;
        }
        return rows;
    }

    private static Calibration calibrate(
            String spec, float[] keys, float[] values, int tokens, Calibrator.Sensitivity sensitivity) {
        Calibrator calibrator = Calibrated.calibrator(SHAPE, CacheSpec.parse(spec));
        for (int pass = 0; pass < 2; pass++) {
            calibrator.begin(pass);
            calibrator.see(
                    0,
                    OneStep.states(0, tokens, keys, values),
                    OneStep.queries(1, new float[128]),
                    calibrator.wantsSensitivity(pass) ? sensitivity : Calibrator.Sensitivity.NONE);
        }
        return calibrator.finish();
    }

    private static Calibrator.Sensitivity ones(int tokens) {
        float[] ones = new float[tokens * WIDTH];
        Arrays.fill(ones, 1);
        return sensitivity(ones);
    }

    private static Calibrator.Sensitivity sensitivity(float[] weights) {
        return new Calibrator.Sensitivity() {
            @Override
            public float[] keys() {
                return weights;
            }

            @Override
            public float[] values() {
                return weights;
            }
        };
    }

    @Test
    void thresholdsAreThePercentilesOfEachChannelWithoutTheFirstTokens() {
        float[] keys = studentT(TOKENS);
        for (int c = 0; c < WIDTH; c++) {
            keys[c] = 1e4f;
            keys[WIDTH + c] = -1e4f;
        }
        Calibration made = calibrate("kvquant(sinks=2)", keys, keys, TOKENS, ones(TOKENS));
        assertThat(made.fingerprint()).isEqualTo(Calibrated.FINGERPRINT);
        assertThat(made.options()).containsEntry("outliers", "0.01").containsEntry("sinks", "2");
        float[] sparse = made.data("k.pre.channel.vector.range", 1, 2, WIDTH);
        float[] dense = made.data("k.pre.channel.none.range", 1, 2, WIDTH);
        for (int c = 0; c < WIDTH; c++) {
            float[] column = new float[TOKENS - 2];
            for (int t = 2; t < TOKENS; t++) {
                column[t - 2] = keys[t * WIDTH + c];
            }
            Arrays.sort(column);
            float low = column[0];
            float high = column[column.length - 1];
            // Bins of a range that may have doubled.
            float bin = (high - low) / 256;
            assertThat(dense[c]).isEqualTo(low);
            assertThat(dense[WIDTH + c]).isEqualTo(high);
            assertThat(sparse[c]).isCloseTo(column[(int) (0.005 * column.length)], within(bin));
            assertThat(sparse[WIDTH + c]).isCloseTo(column[(int) (0.995 * column.length)], within(bin));
        }
    }

    @Test
    void percentilesHoldWhateverTheOrderAndRange() {
        for (int trial = 0; trial < 50; trial++) {
            Percentiles percentiles = new Percentiles(512);
            float[] all = new float[3000];
            double scale = Math.exp(random.nextGaussian() * 3);
            for (int i = 0; i < all.length; i++) {
                // Drifts, so that the range must grow again and again on either side.
                all[i] = (float) (random.nextGaussian() * scale + (random.nextBoolean() ? i : -i) * scale / 300);
            }
            for (int i = 0; i < all.length; i += 100) {
                percentiles.add(all, i, 1, 100);
            }
            Arrays.sort(all);
            float bin = (all[all.length - 1] - all[0]) / 128;
            for (double share : new double[] {0.005, 0.25, 0.5, 0.9, 0.995}) {
                assertThat(percentiles.at(share)).isCloseTo(all[(int) (share * all.length)], within(bin));
            }
            assertThat(percentiles.min()).isEqualTo(all[0]);
            assertThat(percentiles.max()).isEqualTo(all[all.length - 1]);
        }
    }

    @Test
    void aConstantChannelHasARangeOfNoWidth() {
        float[] keys = new float[200 * WIDTH];
        Arrays.fill(keys, -3.25f);
        Calibration made = calibrate("kvquant", keys, keys, 200, ones(200));
        assertThat(made.data("k.pre.channel.vector.range", 1, 2, WIDTH)).containsOnly(-3.25f);
    }

    /** The mean square error of inliers, and of everything where there are no outliers. */
    private static double error(float[] keys, Calibration made, String thresholds, float[] levels, float[] weights) {
        float[] range = made.data("k.pre.channel." + thresholds + ".range", 1, 2, WIDTH);
        Codebook codebook = new Codebook(levels);
        double sum = 0;
        double total = 0;
        for (int i = WIDTH; i < keys.length; i++) {
            float r = (range[WIDTH + i % WIDTH] - range[i % WIDTH]) / 2;
            float x = (keys[i] - range[i % WIDTH] - r) / r;
            if (Math.abs(x) <= 1) {
                double off = x - codebook.round(x);
                sum += off * off * weights[i];
                total += weights[i];
            }
        }
        return sum / total;
    }

    @ParameterizedTest
    @CsvSource({"2, 0.35", "3, 0.55", "4, 0.7"})
    void fittedLevelsBeatUniformOnesOnStudentTWithAndWithoutOutliers(int bits, double share) {
        float[] keys = studentT(TOKENS);
        float[] ones = ones(TOKENS).keys();
        Calibration made = calibrate("kvquant", keys, keys, TOKENS, ones(TOKENS));
        float[] uniform = Codebook.uniform(bits, -1, 1).levels();
        Integer count = 1 << bits;
        for (String thresholds : new String[] {"vector", "none"}) {
            float[] data = made.data("k.pre.channel." + thresholds + ".fisher.nuq" + bits, 1, 2, count);
            double fitted = error(keys, made, thresholds, Arrays.copyOf(data, count), ones);
            assertThat(fitted).isLessThan(share * error(keys, made, thresholds, uniform, ones));
        }
    }

    @Test
    void weightsDrawLevelsToWhereTheLossIsSensitive() {
        float[] keys = studentT(TOKENS);
        Calibration even = calibrate("kvquant", keys, keys, TOKENS, ones(TOKENS));
        float[] range = even.data("k.pre.channel.vector.range", 1, 2, WIDTH);
        float[] weights = new float[keys.length];
        for (int i = 0; i < keys.length; i++) {
            float r = (range[WIDTH + i % WIDTH] - range[i % WIDTH]) / 2;
            weights[i] = (keys[i] - range[i % WIDTH] - r) / r > 0.4 ? 1 : 1e-3f;
        }
        Calibration drawn = calibrate("kvquant", keys, keys, TOKENS, sensitivity(weights));
        for (int bits = 2; bits <= 4; bits++) {
            Integer count = 1 << bits;
            String name = "k.pre.channel.vector.fisher.nuq" + bits;
            float[] plain = Arrays.copyOf(even.data(name, 1, 2, count), count);
            float[] own = Arrays.copyOf(drawn.data(name, 1, 2, count), count);
            assertThat(error(keys, even, "vector", own, weights))
                    .isLessThan(0.8 * error(keys, even, "vector", plain, weights));
            assertThat(drawn.data("k.pre.channel.vector.none.nuq" + bits, 1, 2, count))
                    .isEqualTo(even.data("k.pre.channel.vector.none.nuq" + bits, 1, 2, count));
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {0x1p-40f, 0x1p20f})
    void scalingAllSensitivitiesChangesNothing(float factor) {
        float[] keys = studentT(500);
        Calibration one = calibrate("kvquant", keys, keys, 500, Calibrated.sensitivity(SHAPE, 500, 3, 1));
        Calibration other = calibrate("kvquant", keys, keys, 500, Calibrated.sensitivity(SHAPE, 500, 3, factor));
        one.tensors()
                .forEach((name, tensor) -> assertThat(
                                other.data(name, tensor.shape().toArray(Integer[]::new)))
                        .as(name)
                        .isEqualTo(tensor.data()));
    }

    @Test
    void qNormKeepsMeanAndDeviationOfInliers() {
        float[] keys = studentT(TOKENS);
        Calibration made = calibrate("kvquant", keys, keys, TOKENS, Calibrated.sensitivity(SHAPE, TOKENS, 5, 1));
        float[] range = made.data("k.pre.channel.vector.range", 1, 2, WIDTH);
        for (int bits = 2; bits <= 4; bits++) {
            Integer count = 1 << bits;
            float[] data = made.data("k.pre.channel.vector.fisher.nuq" + bits, 1, 2, count);
            Codebook codebook = new Codebook(Arrays.copyOf(data, count));
            double[] before = new double[3];
            double[] after = new double[3];
            for (int i = WIDTH; i < keys.length; i++) {
                float r = (range[WIDTH + i % WIDTH] - range[i % WIDTH]) / 2;
                float x = (keys[i] - range[i % WIDTH] - r) / r;
                if (Math.abs(x) <= 1) {
                    add(before, x);
                    add(after, data[count + codebook.code(x)]);
                }
            }
            assertThat(after[1] / after[0]).isCloseTo(before[1] / before[0], within(1e-4));
            assertThat(deviation(after)).isCloseTo(deviation(before), within(1e-4));
        }
    }

    private static void add(double[] moments, double x) {
        moments[0]++;
        moments[1] += x;
        moments[2] += x * x;
    }

    private static double deviation(double[] moments) {
        double mean = moments[1] / moments[0];
        return Math.sqrt(moments[2] / moments[0] - mean * mean);
    }
}
