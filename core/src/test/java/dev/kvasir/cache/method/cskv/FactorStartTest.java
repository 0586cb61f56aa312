package dev.kvasir.cache.method.cskv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.correction.Svd;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where factors begin, against what is known of the best there are. */
class FactorStartTest {
    private static double[] ones(int count) {
        double[] ones = new double[count];
        Arrays.fill(ones, 1);
        return ones;
    }

    private static double distance(float[] w, Factors factors) {
        double sum = 0;
        for (int i = 0; i < factors.inputs(); i++) {
            for (int o = 0; o < factors.outputs(); o++) {
                double e = w[i * factors.outputs() + o];
                for (int k = 0; k < factors.rank(); k++) {
                    e -= factors.a()[i * factors.rank() + k] * (double) factors.b()[k * factors.outputs() + o];
                }
                sum += e * e;
            }
        }
        return Math.sqrt(sum);
    }

    @ParameterizedTest
    @CsvSource({"40, 24, 5", "24, 40, 7", "64, 64, 12", "17, 33, 1"})
    void svdIsTheBestOfItsRank(int inputs, int outputs, int rank) {
        // W of known singular values: 2, 1, 1/2, ... between orthonormal bases.
        Random random = new Random(inputs);
        int count = Math.min(inputs, outputs);
        double[] left = Svd.of(MadeUpLayer.gaussian(random, inputs * count, 1), inputs, count)
                .u();
        double[] right = Svd.of(MadeUpLayer.gaussian(random, outputs * count, 1), outputs, count)
                .u();
        float[] w = new float[inputs * outputs];
        double tail = 0;
        for (int k = 0; k < count; k++) {
            double value = 2 * Math.pow(0.9, k);
            tail += k < rank ? 0 : value * value;
            for (int i = 0; i < inputs * outputs; i++) {
                w[i] += (float) (left[k * inputs + i / outputs] * value * right[k * outputs + i % outputs]);
            }
        }
        Factors factors = FactorStart.svd(w, inputs, outputs, rank, ones(inputs));
        assertThat(distance(w, factors)).isCloseTo(Math.sqrt(tail), within(1e-4 * Math.sqrt(tail)));
        // The two factors are of one size, which Adam's steps rely on.
        double a = 0;
        double b = 0;
        for (int k = 0; k < rank; k++) {
            for (int i = 0; i < inputs; i++) {
                a += Math.pow(factors.a()[i * rank + k], 2);
            }
        }
        for (float number : factors.b()) {
            b += number * (double) number;
        }
        assertThat(a).isCloseTo(b, within(1e-3 * b));
    }

    @Test
    void fullRankIsTheProjectionItself() {
        MadeUpLayer layer = MadeUpLayer.of(48, 32, 50, 1, 1);
        Factors factors = FactorStart.svd(layer.w(), 48, 32, 32, layer.scales(0.5));
        assertThat(distance(layer.w(), factors)).isLessThan(1e-5);
    }

    @Test
    void moreRankThanTheWeightsHaveAddsNothing() {
        MadeUpLayer layer = MadeUpLayer.of(10, 32, 50, 1, 1);
        Factors factors = FactorStart.svd(layer.w(), 10, 32, 14, layer.scales(0.5));
        assertThat(distance(layer.w(), factors)).isLessThan(1e-5);
        assertThat(factors.a()).hasSize(140);
    }

    @Test
    void scalesOfTheActivationsHelpWhereChannelsStandOut() {
        MadeUpLayer layer = MadeUpLayer.of(64, 32, 300, 3, 4);
        double plain = layer.error(FactorStart.svd(layer.w(), 64, 32, 6, ones(64)));
        double aware = layer.error(FactorStart.svd(layer.w(), 64, 32, 6, layer.scales(0.5)));
        assertThat(aware).isLessThan(0.8 * plain);
    }

    @Test
    void noFactorsBeatThoseOfTheDataItself() {
        MadeUpLayer layer = MadeUpLayer.of(64, 32, 300, 3, 4);
        Svd principal = Svd.of(layer.moments(), 32, 32);
        double bound = FactorStart.bound(principal, 6, 300);
        Factors best = FactorStart.pca(layer.w(), 64, 32, 6, principal);
        assertThat(layer.error(best)).isCloseTo(bound, within(1e-3 * bound));
        assertThat(layer.error(FactorStart.svd(layer.w(), 64, 32, 6, layer.scales(0.5))))
                .isGreaterThan(bound);
        Random random = new Random(8);
        for (int trial = 0; trial < 20; trial++) {
            Factors moved = best.copy();
            for (int i = 0; i < moved.a().length; i++) {
                moved.a()[i] += (float) (0.01 * random.nextGaussian());
            }
            for (int i = 0; i < moved.b().length; i++) {
                moved.b()[i] += (float) (0.01 * random.nextGaussian());
            }
            assertThat(layer.error(moved)).isGreaterThan(bound);
        }
    }
}
