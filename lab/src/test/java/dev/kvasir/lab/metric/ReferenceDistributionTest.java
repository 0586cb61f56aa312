package dev.kvasir.lab.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ReferenceDistributionTest {
    @Test
    void matchesTheDivergenceOfTwoKnownCoins() {
        float[] fair = {0, 0};
        float[] biased = {(float) Math.log(0.9), (float) Math.log(0.1)};
        double expected = 0.5 * Math.log(0.5 / 0.9) + 0.5 * Math.log(0.5 / 0.1);
        assertThat(divergence(fair, biased)).isCloseTo(expected, within(1e-7));
        double reverse = 0.9 * Math.log(0.9 / 0.5) + 0.1 * Math.log(0.1 / 0.5);
        assertThat(divergence(biased, fair)).isCloseTo(reverse, within(1e-7));
    }

    @Test
    void isZeroForEqualLogitsAndForShiftedOnes() {
        float[] logits = {1.5f, -2, 0.25f, 8};
        float[] shifted = {3.5f, 0, 2.25f, 10};
        assertThat(divergence(logits, logits)).isZero();
        assertThat(divergence(logits, shifted)).isCloseTo(0, within(1e-14));
    }

    @Test
    void equalsTheSumOverProbabilitiesOnRandomLogits() {
        SplittableRandom random = new SplittableRandom(7);
        for (int trial = 0; trial < 50; trial++) {
            int size = 1 + random.nextInt(300);
            float[] a = logits(random, size);
            float[] b = logits(random, size);
            double[] p = softmax(a);
            double[] q = softmax(b);
            double expected = 0;
            for (int i = 0; i < size; i++) {
                expected += p[i] * Math.log(p[i] / q[i]);
            }
            assertThat(divergence(a, b)).isCloseTo(expected, within(1e-10 + 1e-10 * expected));
        }
    }

    @Test
    void survivesLogitsThatOverflowExp() {
        assertThat(divergence(new float[] {2000, 0}, new float[] {0, 2000})).isCloseTo(2000, within(1e-9));
        assertThat(Logits.logSumExp(new float[] {1000, 1000})).isCloseTo(1000 + Math.log(2), within(1e-12));
    }

    @Test
    void keepsItsOwnCopy() {
        float[] logits = {1, 2};
        ReferenceDistribution distribution = new ReferenceDistribution(2);
        distribution.set(logits);
        logits[0] = 99;
        assertThat(distribution.argMax()).isEqualTo(1);
        float[] same = {1, 2};
        assertThat(distribution.klDivergence(same, Logits.logSumExp(same))).isZero();
    }

    @Test
    void firstOfEqualLogitsIsTheArgMax() {
        assertThat(Logits.argMax(new float[] {-3, 4, 4, 1})).isEqualTo(1);
    }

    @Test
    void tellsNumbersFromOtherThings() {
        assertThat(Logits.areFinite(new float[] {1, -1e38f, 0, 1e38f})).isTrue();
        assertThat(Logits.areFinite(new float[] {1, Float.NaN})).isFalse();
        assertThat(Logits.areFinite(new float[] {Float.NEGATIVE_INFINITY, 1})).isFalse();
        assertThat(Logits.areFinite(new float[] {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}))
                .isFalse();
    }

    private static double divergence(float[] exact, float[] other) {
        ReferenceDistribution distribution = new ReferenceDistribution(exact.length);
        distribution.set(exact);
        return distribution.klDivergence(other, Logits.logSumExp(other));
    }

    private static float[] logits(SplittableRandom random, int size) {
        float[] logits = new float[size];
        for (int i = 0; i < size; i++) {
            logits[i] = (float) (20 * random.nextDouble() - 10);
        }
        return logits;
    }

    private static double[] softmax(float[] logits) {
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit);
        }
        double[] probabilities = new double[logits.length];
        for (int i = 0; i < logits.length; i++) {
            probabilities[i] = Math.exp(logits[i]) / sum;
        }
        return probabilities;
    }
}
