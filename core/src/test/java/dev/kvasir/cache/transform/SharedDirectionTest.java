package dev.kvasir.cache.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.transform.SharedDirection.Merge;
import dev.kvasir.tensor.RotaryTable;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What two vectors lose when they share a direction. */
class SharedDirectionTest {
    private static final int WIDTH = 96;

    private final Random random = new Random(41);
    private final float[] e = new float[WIDTH];
    private final float[] lengths = new float[2];

    private float[] vector() {
        float[] x = new float[WIDTH];
        for (int i = 0; i < WIDTH; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }

    /** A vector of some length at some angle to another. */
    private float[] at(double angle, float[] to, double length) {
        double[] unit = unit(to);
        double[] other = unit(vector());
        double along = dot(unit, other);
        for (int i = 0; i < WIDTH; i++) {
            other[i] -= along * unit[i];
        }
        double norm = Math.sqrt(dot(other, other));
        float[] x = new float[WIDTH];
        for (int i = 0; i < WIDTH; i++) {
            x[i] = (float) (length * (Math.cos(angle) * unit[i] + Math.sin(angle) * other[i] / norm));
        }
        return x;
    }

    private static double[] unit(float[] x) {
        double norm = norm(x);
        double[] unit = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            unit[i] = x[i] / norm;
        }
        return unit;
    }

    private static double dot(double[] x, double[] y) {
        double sum = 0;
        for (int i = 0; i < x.length; i++) {
            sum += x[i] * y[i];
        }
        return sum;
    }

    private static double norm(float[] x) {
        double sum = 0;
        for (float number : x) {
            sum += (double) number * number;
        }
        return Math.sqrt(sum);
    }

    private double merge(Merge merge, double t, float[] a, float[] c) {
        return new SharedDirection(merge, t).merge(a, 0, c, 0, WIDTH, e, 0, lengths);
    }

    private double error(float[] x, double length) {
        double sum = 0;
        for (int i = 0; i < WIDTH; i++) {
            sum += Math.pow(x[i] - length * e[i], 2);
        }
        return Math.sqrt(sum);
    }

    @Test
    void errorsAreThoseOfTheAngle() {
        for (int trial = 0; trial < 500; trial++) {
            double angle = Math.pow(10, -5 + 5.4 * random.nextDouble());
            double t = random.nextDouble();
            float[] a = vector();
            float[] c = at(angle, a, 0.01 + 20 * random.nextDouble());
            double found = merge(Merge.SLERP, t, a, c);
            assertThat(found).isCloseTo(angle, within(1e-6));
            assertThat(norm(e)).isCloseTo(1, within(1e-5));
            assertThat((double) lengths[0]).isCloseTo(norm(a), within(1e-6 * norm(a)));
            assertThat((double) lengths[1]).isCloseTo(norm(c), within(1e-6 * norm(c)));
            assertThat(error(a, lengths[0]) / norm(a)).isCloseTo(2 * Math.sin(t * angle / 2), within(1e-5));
            assertThat(error(c, lengths[1]) / norm(c)).isCloseTo(2 * Math.sin((1 - t) * angle / 2), within(1e-5));
        }
    }

    @Test
    void theEndsAreTheVectorsThemselves() {
        float[] a = vector();
        float[] c = vector();
        merge(Merge.SLERP, 0, a, c);
        assertThat(error(a, lengths[0])).isLessThan(1e-6 * norm(a));
        merge(Merge.SLERP, 1, a, c);
        assertThat(error(c, lengths[1])).isLessThan(1e-6 * norm(c));
    }

    @Test
    void parallelVectorsLoseNothing() {
        float[] a = vector();
        float[] c = a.clone();
        for (int i = 0; i < WIDTH; i++) {
            c[i] *= 3.5f;
        }
        for (double t : new double[] {0, 0.3, 0.6, 1}) {
            assertThat(merge(Merge.SLERP, t, a, c)).isLessThan(1e-6);
            assertThat(error(a, lengths[0])).isLessThan(1e-6 * norm(a));
            assertThat(error(c, lengths[1])).isLessThan(1e-6 * norm(c));
        }
    }

    @Test
    void opposedVectorsHaveADirectionAllTheSame() {
        float[] a = vector();
        for (double gap : new double[] {0, 1e-7, 9e-4}) {
            float[] c = at(Math.PI - gap, a, 2);
            double angle = merge(Merge.SLERP, 0.6, a, c);
            assertThat(SharedDirection.opposed(angle)).isTrue();
            assertThat(norm(e)).isCloseTo(1, within(1e-5));
            assertThat(error(c, lengths[1])).isLessThan(1e-5);
        }
        assertThat(SharedDirection.opposed(merge(Merge.SLERP, 0.6, a, at(Math.PI - 1.2e-3, a, 2))))
                .isFalse();
        assertThat(norm(e)).isCloseTo(1, within(1e-5));
        a[3] = Float.NaN;
        assertThat(SharedDirection.opposed(merge(Merge.SLERP, 0.6, a, vector())))
                .isTrue();
    }

    @Test
    void zeroHasLengthZeroAndAnyDirection() {
        float[] zero = new float[WIDTH];
        float[] c = vector();
        for (Merge how : Merge.values()) {
            assertThat(merge(how, 0.6, zero, c)).isZero();
            assertThat(norm(e)).isCloseTo(1, within(1e-5));
            assertThat(merge(how, 0.6, zero, zero)).isZero();
            assertThat(norm(e)).isCloseTo(1, within(1e-5));
            assertThat(lengths).containsExactly(0, 0);
        }
        merge(Merge.SLERP, 0.6, zero, c);
        assertThat(lengths[0]).isZero();
        assertThat(error(c, lengths[1])).isLessThan(1e-6 * norm(c));
    }

    @Test
    void meanAndMaxNormHaveOneLengthForBoth() {
        float[] a = vector();
        float[] c = at(0.8, a, 2 * norm(a));
        merge(Merge.MEAN, 0.6, a, c);
        for (int i = 0; i < WIDTH; i++) {
            assertThat(lengths[0] * e[i]).isCloseTo((a[i] + c[i]) / 2, within(1e-5f));
        }
        assertThat(lengths[1]).isEqualTo(lengths[0]);
        merge(Merge.MAX_NORM, 0.6, a, c);
        assertThat((double) lengths[0]).isCloseTo(norm(c), within(1e-4));
        assertThat(lengths[1]).isEqualTo(lengths[0]);
        double[] u = unit(a);
        double[] v = unit(c);
        double half = Math.cos(0.4);
        double[] direction = unit(e);
        assertThat(dot(direction, u)).isCloseTo(half, within(1e-5));
        assertThat(dot(direction, v)).isCloseTo(half, within(1e-5));
    }

    /** Cosine 0.7, lengths at a ratio of 0.5 to 2. */
    @Test
    void slerpLosesLessThanMeanAndMaxNormWhereLengthsDiffer() {
        double slerp = meanError(Merge.SLERP);
        assertThat(slerp).isCloseTo(0.396, within(0.002));
        assertThat(meanError(Merge.MEAN)).isCloseTo(0.451, within(0.01));
        assertThat(meanError(Merge.MAX_NORM)).isGreaterThan(slerp);
    }

    private double meanError(Merge how) {
        double sum = 0;
        int trials = 4000;
        for (int trial = 0; trial < trials; trial++) {
            float[] a = vector();
            double ratio = Math.pow(2, 2 * random.nextDouble() - 1);
            float[] c = at(Math.acos(0.7), a, ratio * norm(a));
            merge(how, 0.6, a, c);
            sum += error(a, lengths[0]) / norm(a) + error(c, lengths[1]) / norm(c);
        }
        return sum / 2 / trials;
    }

    @Test
    void theRotaryEmbeddingMayComeBeforeOrAfter() {
        RotaryTable table = RotaryTable.of(WIDTH, 10_000);
        table.reach(5000);
        for (int trial = 0; trial < 100; trial++) {
            float[] a = vector();
            float[] c = at(random.nextDouble() * 3, a, 0.2 + random.nextDouble());
            int position = random.nextInt(5000);
            double angle = merge(Merge.SLERP, 0.6, a, c);
            float[] later = new float[WIDTH];
            table.rotate(position, 1, e, 0, later, 0);
            float[] turnedA = new float[WIDTH];
            float[] turnedC = new float[WIDTH];
            table.rotate(position, 1, a, 0, turnedA, 0);
            table.rotate(position, 1, c, 0, turnedC, 0);
            assertThat(merge(Merge.SLERP, 0.6, turnedA, turnedC)).isCloseTo(angle, within(1e-5));
            for (int i = 0; i < WIDTH; i++) {
                assertThat(e[i]).isCloseTo(later[i], within(1e-5f));
            }
        }
    }
}
