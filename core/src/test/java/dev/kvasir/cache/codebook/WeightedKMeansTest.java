package dev.kvasir.cache.codebook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** kvquant.md, "What must hold" 5 and 7, on made-up channels. */
class WeightedKMeansTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5})
    void theErrorNeverRisesAndIsNeverAboveThatOfUniformLevels(int bits) {
        for (long seed = 0; seed < 8; seed++) {
            Random random = new Random(seed);
            WeightedHistogram data = new WeightedHistogram(-1, 1);
            double uniform = 0;
            Codebook even = Codebook.uniform(bits, -1, 1);
            for (int i = 0; i < 5000; i++) {
                float x = (float) (seed % 2 == 0 ? random.nextDouble() * 2 - 1 : Math.tanh(random.nextGaussian()));
                float weight = (float) Math.exp(2 * random.nextGaussian());
                data.add(x, weight);
                uniform += weight * Math.pow(x - even.round(x), 2);
            }
            WeightedKMeans fit = WeightedKMeans.fit(data, bits, seed);
            assertThat(fit.errors().length).isBetween(1, 51);
            for (int i = 1; i < fit.errors().length; i++) {
                assertThat(fit.errors()[i]).isLessThan(fit.errors()[i - 1]);
            }
            assertThat(fit.error()).isLessThanOrEqualTo(uniform * (1 + 1e-4));
            assertThat(WeightedKMeans.optimal(data, bits).error())
                    .isLessThanOrEqualTo(fit.error() * (1 + 1e-9))
                    .isGreaterThan(fit.error() * 0.6);
        }
    }

    @Test
    void equalWeightsGivePlainLloyd() {
        Random random = new Random(2);
        float[] x = new float[4000];
        WeightedHistogram data = new WeightedHistogram(-1, 1);
        WeightedHistogram heavy = new WeightedHistogram(-1, 1);
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) Math.tanh(random.nextGaussian());
            data.add(x[i], 1);
            heavy.add(x[i], 1e-6f);
        }
        Codebook levels = WeightedKMeans.fit(data, 3, 1).codebook();
        double[] sums = new double[8];
        int[] counts = new int[8];
        for (float value : x) {
            sums[levels.code(value)] += value;
            counts[levels.code(value)]++;
        }
        for (int i = 0; i < 8; i++) {
            assertThat((double) levels.level(i)).isCloseTo(sums[i] / counts[i], within(2e-3));
        }
        float[] scaled = WeightedKMeans.fit(heavy, 3, 1).codebook().levels();
        assertThat(scaled).containsExactly(levels.levels(), within(1e-5f));
        assertThat(WeightedKMeans.fit(data, 3, 1).codebook()).isEqualTo(levels);
    }

    @Test
    void weightsPullLevels() {
        WeightedHistogram data = new WeightedHistogram(-1, 1);
        for (int i = 0; i <= 1000; i++) {
            float x = -1 + i / 500f;
            data.add(x, x > 0.5f ? 1000 : 1);
        }
        Codebook levels = WeightedKMeans.fit(data, 3, 0).codebook();
        assertThat(levels.level(2)).isGreaterThan(0.4f);
    }

    @Test
    void dynamicProgrammingFindsTheBestOfAllPartitions() {
        Random random = new Random(4);
        for (int trial = 0; trial < 30; trial++) {
            int n = 4 + random.nextInt(12);
            double[] x = new double[n];
            double[] w = new double[n];
            WeightedHistogram data = new WeightedHistogram(-1, 1);
            for (int i = 0; i < n; i++) {
                x[i] = (float) (-1 + (i + random.nextDouble()) * 2 / n);
                w[i] = 1 + random.nextInt(5);
                data.add((float) x[i], (float) w[i]);
            }
            double best = Double.MAX_VALUE;
            for (int a = 1; a < n; a++) {
                for (int b = a + 1; b < n; b++) {
                    for (int c = b + 1; c < n; c++) {
                        double error =
                                spread(x, w, 0, a) + spread(x, w, a, b) + spread(x, w, b, c) + spread(x, w, c, n);
                        best = Math.min(best, error);
                    }
                }
            }
            assertThat(WeightedKMeans.optimal(data, 2).error()).isCloseTo(best, within(1e-9));
        }
    }

    /** Weighted square distance of some numbers to their mean. */
    private static double spread(double[] x, double[] w, int from, int to) {
        double weight = 0;
        double sum = 0;
        for (int i = from; i < to; i++) {
            weight += w[i];
            sum += w[i] * x[i];
        }
        double error = 0;
        for (int i = from; i < to; i++) {
            error += w[i] * Math.pow(x[i] - sum / weight, 2);
        }
        return error;
    }

    @Test
    void fewOrNoNumbersGiveLevelsAllTheSame() {
        WeightedHistogram data = new WeightedHistogram(-1, 1);
        assertThat(WeightedKMeans.fit(data, 2, 0).codebook()).isEqualTo(Codebook.uniform(2, -1, 1));
        data.add(0.25f, 0);
        assertThat(WeightedKMeans.optimal(data, 2).codebook()).isEqualTo(Codebook.uniform(2, -1, 1));
        data.add(0.25f, 3);
        data.add(-0.5f, 1);
        assertThat(WeightedKMeans.fit(data, 2, 0).error()).isCloseTo(0, within(1e-12));
        assertThat(WeightedKMeans.optimal(data, 2).codebook().levels()).containsExactly(-0.5f, 0.25f, 0.25f, 0.25f);
        assertThatThrownBy(() -> data.add(Float.NaN, 1)).hasMessageContaining("NaN");
        assertThatThrownBy(() -> data.add(0, -1)).hasMessageContaining("weight -1");
        assertThatThrownBy(() -> new WeightedHistogram(1, 1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void histogramsAddUp() {
        WeightedHistogram whole = new WeightedHistogram(-1, 1);
        WeightedHistogram[] parts = {new WeightedHistogram(-1, 1), new WeightedHistogram(-1, 1)};
        Random random = new Random(6);
        for (int i = 0; i < 1000; i++) {
            float x = random.nextFloat() * 2.2f - 1.1f;
            whole.add(x, 2);
            parts[i % 2].add(x, 2);
        }
        parts[0].add(parts[1]);
        assertThat(parts[0].weight()).isEqualTo(2000);
        assertThat(WeightedKMeans.fit(parts[0], 3, 1).codebook().levels())
                .containsExactly(WeightedKMeans.fit(whole, 3, 1).codebook().levels(), within(1e-6f));
    }

    @Test
    void millionsTakeSeconds() {
        Random random = new Random(8);
        float[] x = new float[1 << 20];
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) Math.tanh(random.nextGaussian());
        }
        long start = System.nanoTime();
        WeightedHistogram data = new WeightedHistogram(-1, 1);
        for (int i = 0; i < 8 << 20; i++) {
            data.add(x[i & (x.length - 1)], 1 + (i & 7));
        }
        WeightedKMeans fit = WeightedKMeans.fit(data, 4, 0);
        WeightedKMeans optimal = WeightedKMeans.optimal(data, 4);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
        assertThat(optimal.error()).isBetween(0.8 * fit.error(), fit.error());
    }

    /**
     * The specification's Student-t channels (four degrees of freedom, three wide; thresholds at 0.5 and 99.5 % of each):
     * measured there 2.0, 0.57, 0.148 for fitted and 8.2, 1.30, 0.283 for uniform levels.
     */
    @ParameterizedTest
    @CsvSource({
        "2, 0.01, 2.0, 8.2", "3, 0.01, 0.57, 1.30", "4, 0.01, 0.148, 0.283",
        "2, 0, 0, 0", "3, 0, 0, 0", "4, 0, 0, 0"
    })
    void beatsUniformLevelsOnHeavyTails(int bits, double outliers, double fitted, double uniform) {
        Channels channels = new Channels(outliers);
        WeightedHistogram data = new WeightedHistogram(-1, 1);
        for (int c = 0; c < Channels.COUNT; c++) {
            for (float x : channels.values[c]) {
                if (channels.isInlier(c, x)) {
                    data.add(channels.normalized(c, x), 1);
                }
            }
        }
        double ours = channels.error(WeightedKMeans.fit(data, bits, 0).codebook());
        double theirs = channels.error(Codebook.uniform(bits, -1, 1));
        assertThat(ours).isLessThan(0.6 * theirs);
        assertThat(channels.error(WeightedKMeans.optimal(data, bits).codebook()))
                .isLessThan(0.6 * theirs);
        if (outliers > 0) {
            assertThat(ours).isCloseTo(fitted, within(0.1 * fitted));
            assertThat(theirs).isCloseTo(uniform, within(0.1 * uniform));
        }
    }

    /** Item 7: dequantized inliers have the mean and deviation of the originals. */
    @ParameterizedTest
    @ValueSource(ints = {2, 3, 4})
    void qNormKeepsMeanAndDeviation(int bits) {
        Channels channels = new Channels(0.01);
        WeightedHistogram data = new WeightedHistogram(-1, 1);
        for (float x : channels.values[0]) {
            data.add(channels.normalized(0, x) * 0.9f + 0.1f, 1);
        }
        Codebook codebook = WeightedKMeans.fit(data, bits, 0).codebook();
        QNorm.Fit fit = new QNorm.Fit(codebook);
        double[] before = new double[3];
        for (float value : channels.values[0]) {
            float x = channels.normalized(0, value) * 0.9f + 0.1f;
            fit.add(x);
            count(before, x);
        }
        QNorm norm = fit.norm();
        assertThat(norm.scale()).isGreaterThan(1);
        Codebook decoded = norm.apply(codebook);
        double[] after = new double[3];
        for (float value : channels.values[0]) {
            count(after, decoded.level(codebook.code(channels.normalized(0, value) * 0.9f + 0.1f)));
        }
        assertThat(after[1] / after[0]).isCloseTo(before[1] / before[0], within(1e-4));
        assertThat(deviation(after)).isCloseTo(deviation(before), within(1e-4));
        assertThat(new QNorm.Fit(codebook).norm()).isEqualTo(QNorm.NONE);
    }

    private static void count(double[] moments, double x) {
        moments[0]++;
        moments[1] += x;
        moments[2] += x * x;
    }

    private static double deviation(double[] moments) {
        double mean = moments[1] / moments[0];
        return Math.sqrt(moments[2] / moments[0] - mean * mean);
    }

    /** Channels of Student-t numbers with thresholds of their own. */
    private static final class Channels {
        static final int COUNT = 48;
        static final int TOKENS = 4096;
        final float[][] values = new float[COUNT][TOKENS];
        private final float[] offset = new float[COUNT];
        private final float[] range = new float[COUNT];

        Channels(double outliers) {
            Random random = new Random(12);
            for (int c = 0; c < COUNT; c++) {
                for (int t = 0; t < TOKENS; t++) {
                    double chi = 0;
                    for (int i = 0; i < 4; i++) {
                        chi += Math.pow(random.nextGaussian(), 2);
                    }
                    values[c][t] = (float) (3 * random.nextGaussian() / Math.sqrt(chi / 4));
                }
                float[] sorted = values[c].clone();
                Arrays.sort(sorted);
                int cut = (int) (outliers / 2 * TOKENS);
                float low = sorted[cut];
                float high = sorted[TOKENS - 1 - cut];
                offset[c] = (low + high) / 2;
                range[c] = (high - low) / 2;
            }
        }

        float normalized(int c, float x) {
            return (x - offset[c]) / range[c];
        }

        boolean isInlier(int c, float x) {
            return Math.abs(normalized(c, x)) <= 1;
        }

        /** Mean square error of all numbers, outliers being exact. */
        double error(Codebook codebook) {
            double sum = 0;
            for (int c = 0; c < COUNT; c++) {
                for (float x : values[c]) {
                    if (isInlier(c, x)) {
                        float z = normalized(c, x);
                        sum += Math.pow((z - codebook.round(z)) * range[c], 2);
                    }
                }
            }
            return sum / (COUNT * TOKENS);
        }
    }
}
