package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.util.Arrays;
import java.util.Random;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class ActivationsTest {
    private final Random random = new Random(31);

    @Test
    void rmsNormAgreesWithTheOracle() {
        for (int round = 0; round < 200; round++) {
            int n = 1 + random.nextInt(300);
            int at = random.nextInt(10);
            float[] x = numbers(at + n, Math.pow(10, random.nextInt(7) - 3));
            float[] weight = numbers(n, 1);
            float[] out = new float[n];
            Activations.rmsNorm(x, at, weight, 1e-5f, out, 0);
            double[] expected = ScalarKernels.rmsNorm(x, at, weight, 1e-5f);
            for (int i = 0; i < n; i++) {
                assertThat((double) out[i]).isCloseTo(expected[i], offset(1e-6 * (1 + Math.abs(expected[i]))));
            }
        }
    }

    @Test
    void rmsNormOfNothingIsNothing() {
        float[] out = new float[20];
        Arrays.fill(out, 7);
        float[] ones = new float[20];
        Arrays.fill(ones, 1);
        Activations.rmsNorm(new float[20], 0, ones, 1e-6f, out, 0);
        assertThat(out).containsOnly(0);
    }

    @Test
    void swiGluAgreesWithTheOracleAndKeepsItsRange() {
        for (int round = 0; round < 200; round++) {
            int n = 1 + random.nextInt(100);
            float[] gate = numbers(n, round % 2 == 0 ? 3 : 60);
            float[] up = numbers(n, 1);
            int from = random.nextInt(n);
            int to = from + random.nextInt(n - from + 1);
            float[] out = gate.clone();
            Activations.swiGlu(out, up, from, to);
            for (int i = 0; i < n; i++) {
                double expected = i >= from && i < to ? ScalarKernels.swiGlu(gate[i], up[i]) : gate[i];
                assertThat((double) out[i]).isCloseTo(expected, offset(1e-6 * Math.abs(expected) + 1e-30));
            }
        }
    }

    @Test
    void swiGluOfExtremesIsTheLimit() {
        float[] gate = {1e30f, -1e30f, 0, Float.NaN, -90, 90, Float.POSITIVE_INFINITY};
        float[] up = {1, 1, 1, 1, 1, 1, 1};
        Activations.swiGlu(gate, up, 0, 7);
        assertThat(gate[0]).isEqualTo(1e30f);
        assertThat(Math.abs(gate[1])).isLessThan(1e-7f);
        assertThat(gate[2]).isZero();
        assertThat(gate[3]).isNaN();
        assertThat(Math.abs(gate[4])).isLessThan(1e-36f);
        assertThat(gate[5]).isEqualTo(90);
        assertThat(gate[6]).isEqualTo(Float.POSITIVE_INFINITY);
    }

    @Test
    void rotationTurnsPairsByTheirAngles() {
        for (int round = 0; round < 100; round++) {
            int half = 1 + random.nextInt(70);
            float[] angles = numbers(half, 3);
            float[] cosines = new float[half + 2];
            float[] sines = new float[half + 2];
            for (int i = 0; i < half; i++) {
                cosines[i + 2] = (float) Math.cos(angles[i]);
                sines[i + 2] = (float) Math.sin(angles[i]);
            }
            float[] x = numbers(2 * half + 3, 1);
            float[] before = x.clone();
            float[] out = new float[2 * half + 1];
            Activations.rotate(x, 3, half, cosines, sines, 2, out, 1);
            for (int i = 0; i < half; i++) {
                double a = x[3 + i];
                double b = x[3 + half + i];
                assertThat((double) out[1 + i])
                        .isCloseTo(a * Math.cos(angles[i]) - b * Math.sin(angles[i]), offset(1e-6));
                assertThat((double) out[1 + half + i])
                        .isCloseTo(b * Math.cos(angles[i]) + a * Math.sin(angles[i]), offset(1e-6));
            }
            assertThat(x).isEqualTo(before);
            assertThat(out[0]).isZero();
        }
    }

    @Test
    void addTouchesItsRangeOnly() {
        float[] x = {1, 2, 3, 4};
        Activations.add(x, new float[] {10, 20, 30, 40}, 1, 3);
        assertThat(x).containsExactly(1, 22, 33, 4);
    }

    @Test
    void exponentialIsPreciseOverTheWholeRange() {
        float[] x = new float[Simd.LANES];
        for (double from = -87; from < 88; from += 0.01) {
            for (int i = 0; i < x.length; i++) {
                x[i] = (float) (from + 0.001 * i);
            }
            float[] y = Simd.exp(FloatVector.fromArray(Simd.F, x, 0)).toArray();
            for (int i = 0; i < x.length; i++) {
                double expected = Math.exp(x[i]);
                assertThat(Math.abs(y[i] - expected) / expected).isLessThan(2.5e-7);
            }
        }
    }

    @Test
    void sumsAreTheSameInterpretedAndCompiled() {
        float[][] x = new float[4][];
        for (int i = 0; i < 4; i++) {
            x[i] = numbers(Simd.LANES, 1e3);
        }
        float[] first = sums(x);
        for (int i = 0; i < 4; i++) {
            double exact = 0;
            for (float value : x[i]) {
                exact += value;
            }
            assertThat((double) first[i]).isCloseTo(exact, offset(2e-2));
        }
        for (int round = 0; round < 30_000; round++) {
            if (!Arrays.equals(sums(x), first)) {
                throw new AssertionError("round " + round + " differs");
            }
        }
    }

    private static float[] sums(float[][] x) {
        FloatVector a = FloatVector.fromArray(Simd.F, x[0], 0);
        FloatVector b = FloatVector.fromArray(Simd.F, x[1], 0);
        FloatVector c = FloatVector.fromArray(Simd.F, x[2], 0);
        FloatVector d = FloatVector.fromArray(Simd.F, x[3], 0);
        FloatVector sums = Simd.sums(a, b, c, d);
        return new float[] {sums.lane(0), sums.lane(1), sums.lane(2), sums.lane(3), Simd.sum(a)};
    }

    private float[] numbers(int count, double size) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) (random.nextGaussian() * size);
        }
        return numbers;
    }
}
