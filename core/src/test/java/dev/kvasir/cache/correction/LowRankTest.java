package dev.kvasir.cache.correction;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.ScalarKernels;
import dev.kvasir.cache.kernel.VectorKernels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** GEAR's low-rank part: gear.md's projection property, and reads from F16 factors. */
class LowRankTest {
    private final Kernels kernels = new VectorKernels();
    private final PowerIteration iteration = new PowerIteration(kernels);

    @ParameterizedTest
    @CsvSource({"400, 64, 4, 1", "400, 64, 1, 2", "64, 128, 2, 3", "7, 80, 4, 4", "333, 96, 8, 5"})
    void neverFartherThanNothingAndNearTheOptimum(int tokens, int width, int rank, long seed) {
        for (double signal : new double[] {0, 0.3, 2}) {
            float[] residual = residual(tokens, width, signal, seed);
            iteration.factor(residual, 0, width, tokens, width, rank, 3, seed);
            double error = error(residual, tokens, width, rank);
            assertThat(error).isLessThan(norm(residual) * (1 + 1e-6));
            double optimum = optimum(residual, tokens, width, rank);
            // Three rounds hardly tell the equal singular values of a few rows of noise apart; no method needs them to.
            double allowed = tokens < 32 ? 1.15 : 1.05;
            assertThat(error).isBetween(optimum * (1 - 1e-4), optimum * allowed + 1e-4 * norm(residual));
        }
    }

    @ParameterizedTest
    @CsvSource({"1", "2", "3", "5", "8"})
    void moreLoopsAndHigherRanksDoNotHurt(int rank) {
        float[] residual = residual(200, 64, 1, 7);
        double before = Double.MAX_VALUE;
        for (int loops = 1; loops <= 5; loops++) {
            iteration.factor(residual, 0, 64, 200, 64, rank, loops, 3);
            double error = error(residual, 200, 64, rank);
            assertThat(error).isLessThan(before * (1 + 1e-3));
            before = error;
        }
        iteration.factor(residual, 0, 64, 200, 64, rank + 1, 5, 3);
        assertThat(error(residual, 200, 64, rank + 1)).isLessThan(before);
    }

    @ParameterizedTest
    @CsvSource({"5, 80, 5", "5, 80, 7", "200, 16, 16", "64, 64, 64", "3, 2, 4", "1, 128, 2"})
    void aFullRankReproducesTheResidual(int tokens, int width, int rank) {
        float[] residual = residual(tokens, width, 1, 11);
        iteration.factor(residual, 0, width, tokens, width, rank, 3, 1);
        assertThat(error(residual, tokens, width, rank)).isLessThan(2e-6 * norm(residual));
    }

    @Test
    void aResidualOfLowRankIsReproducedWhateverItsSize() {
        for (float size : new float[] {1e-12f, 1, 1e12f}) {
            float[] residual = residual(100, 64, Double.POSITIVE_INFINITY, 13);
            for (int i = 0; i < residual.length; i++) {
                residual[i] *= size;
            }
            iteration.factor(residual, 0, 64, 100, 64, 6, 3, 1);
            assertThat(error(residual, 100, 64, 6)).isLessThan(3e-6 * norm(residual));
        }
        for (float nothing : new float[] {0, Float.MIN_VALUE, Float.MIN_NORMAL / 100}) {
            float[] residual = new float[6400];
            Arrays.fill(residual, nothing);
            iteration.factor(residual, 0, 64, 100, 64, 4, 3, 1);
            assertThat(Arrays.copyOf(iteration.b(), 256)).containsOnly(0f);
            assertThat(Arrays.copyOf(iteration.a(), 400)).containsOnly(0f);
        }
    }

    @Test
    void columnsOfAAreOrthonormal() {
        iteration.factor(residual(300, 64, 1, 17), 0, 64, 300, 64, 5, 3, 2);
        for (int i = 0; i < 5; i++) {
            for (int j = 0; j <= i; j++) {
                double dot = 0;
                for (int t = 0; t < 300; t++) {
                    dot += (double) iteration.a()[i * 300 + t] * iteration.a()[j * 300 + t];
                }
                assertThat(dot).isCloseTo(i == j ? 1 : 0, within(2e-6));
            }
        }
    }

    @Test
    void seedsAreRepeatableAndStridesAreHeeded() {
        float[] residual = residual(60, 48, 1, 19);
        float[] wide = new float[5 + 60 * 100];
        for (int t = 0; t < 60; t++) {
            System.arraycopy(residual, t * 48, wide, 5 + t * 100, 48);
        }
        iteration.factor(residual, 0, 48, 60, 48, 3, 3, 5);
        float[] b = Arrays.copyOf(iteration.b(), 3 * 48);
        PowerIteration other = new PowerIteration(kernels);
        other.factor(wide, 5, 100, 60, 48, 3, 3, 5);
        assertThat(Arrays.copyOf(other.b(), 3 * 48)).isEqualTo(b);
        other.factor(wide, 5, 100, 60, 48, 3, 3, 6);
        assertThat(Arrays.copyOf(other.b(), 3 * 48)).isNotEqualTo(b);
    }

    @ParameterizedTest
    @CsvSource({
        "4096, 128, 4, 1, 256, 512",
        "64, 128, 2, 4, 0, 64",
        "70, 80, 3, 5, 32, 70",
        "33, 96, 1, 64, 5, 6",
        "40, 64, 0, 2, 0, 40"
    })
    void readsAreThoseOfTheRestoredResidual(int tokens, int width, int rank, int rows, int from, int to) {
        LowRank layout = new LowRank(tokens, width, rank);
        float[] residual = residual(tokens, width, 2, 23);
        iteration.factor(residual, 0, width, tokens, width, rank, 3, 1);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(layout.bytes() + 6);
            layout.write(kernels, iteration, page, 6);
            float[] restored = new float[(to - from) * width];
            layout.restore(kernels, page, 6, from, to, restored, 0);
            for (Kernels each : new Kernels[] {kernels, new ScalarKernels()}) {
                checkReads(each, layout, page, restored, rows, from, to);
            }
        }
    }

    private static void checkReads(
            Kernels kernels, LowRank layout, MemorySegment page, float[] restored, int rows, int from, int to) {
        int width = layout.width();
        int span = to - from;
        float[] work = new float[layout.workSize(span, rows)];
        float[] queries = residual(rows, width, 0, 29);
        float[] weights = residual(rows, span + 3, 0, 31);
        float[] scores = residual(rows, span + 2, 0, 37);
        float[] sums = residual(rows, width, 0, 41);
        float[] scoresBefore = scores.clone();
        float[] sumsBefore = sums.clone();
        layout.addScores(kernels, page, 6, queries, 0, rows, from, to, scores, 1, span + 2, work);
        layout.addWeighted(kernels, page, 6, weights, 2, span + 3, rows, from, to, sums, 0, work);
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < span; i++) {
                double expected = scoresBefore[1 + r * (span + 2) + i];
                for (int c = 0; c < width; c++) {
                    expected += (double) queries[r * width + c] * restored[i * width + c];
                }
                assertThat((double) scores[1 + r * (span + 2) + i]).isCloseTo(expected, within(2e-5 * width));
            }
            assertThat(scores[r * (span + 2)]).isEqualTo(scoresBefore[r * (span + 2)]);
            for (int c = 0; c < width; c++) {
                double expected = sumsBefore[r * width + c];
                for (int i = 0; i < span; i++) {
                    expected += (double) weights[2 + r * (span + 3) + i] * restored[i * width + c];
                }
                assertThat((double) sums[r * width + c]).isCloseTo(expected, within(2e-5 * span + 1e-5));
            }
        }
    }

    @Test
    void takesTheBytesOfThePaper() {
        assertThat(new LowRank(4096, 128, 4).bytes()).isEqualTo(33_792);
        assertThat(new LowRank(64, 128, 2).bytes() * 8 / (64.0 * 128)).isEqualTo(0.75);
        assertThat(new LowRank(64, 128, 0).bytes()).isZero();
    }

    /** Noise plus {@code signal} times a matrix of rank 4; that matrix alone if the signal is infinite. */
    private static float[] residual(int tokens, int width, double signal, long seed) {
        Random random = new Random(seed);
        float[] x = new float[tokens * width];
        double noise = Double.isInfinite(signal) ? 0 : 1;
        double strength = Double.isInfinite(signal) ? 1 : signal;
        double[][] u = new double[4][tokens];
        double[][] v = new double[4][width];
        for (int k = 0; k < 4; k++) {
            Arrays.setAll(u[k], i -> random.nextGaussian());
            Arrays.setAll(v[k], i -> random.nextGaussian());
        }
        for (int t = 0; t < tokens; t++) {
            for (int c = 0; c < width; c++) {
                double sum = noise * random.nextGaussian();
                for (int k = 0; k < 4; k++) {
                    sum += strength * u[k][t] * v[k][c] / (1 + k);
                }
                x[t * width + c] = (float) sum;
            }
        }
        return x;
    }

    private double error(float[] residual, int tokens, int width, int rank) {
        double sum = 0;
        for (int t = 0; t < tokens; t++) {
            for (int c = 0; c < width; c++) {
                double left = residual[t * width + c];
                for (int k = 0; k < rank; k++) {
                    left -= (double) iteration.a()[k * tokens + t] * iteration.b()[k * width + c];
                }
                sum += left * left;
            }
        }
        return Math.sqrt(sum);
    }

    private static double norm(float[] x) {
        double sum = 0;
        for (float value : x) {
            sum += (double) value * value;
        }
        return Math.sqrt(sum);
    }

    /** The smallest error of any matrix of that rank: what the largest eigenvalues of the Gram matrix leave (Jacobi). */
    private static double optimum(float[] residual, int tokens, int width, int rank) {
        double[][] gram = new double[width][width];
        for (int t = 0; t < tokens; t++) {
            for (int i = 0; i < width; i++) {
                for (int j = 0; j < width; j++) {
                    gram[i][j] += (double) residual[t * width + i] * residual[t * width + j];
                }
            }
        }
        for (int sweep = 0; sweep < 12; sweep++) {
            for (int p = 0; p < width; p++) {
                for (int q = p + 1; q < width; q++) {
                    rotate(gram, p, q);
                }
            }
        }
        double[] values = new double[width];
        Arrays.setAll(values, i -> Math.max(0, gram[i][i]));
        Arrays.sort(values);
        return Math.sqrt(Arrays.stream(values, 0, Math.max(0, width - rank)).sum());
    }

    private static void rotate(double[][] m, int p, int q) {
        if (Math.abs(m[p][q]) < 1e-12) {
            return;
        }
        double theta = (m[q][q] - m[p][p]) / (2 * m[p][q]);
        double t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        double c = 1 / Math.sqrt(t * t + 1);
        double s = t * c;
        for (int k = 0; k < m.length; k++) {
            double a = m[k][p];
            double b = m[k][q];
            m[k][p] = c * a - s * b;
            m[k][q] = s * a + c * b;
        }
        for (int k = 0; k < m.length; k++) {
            double a = m[p][k];
            double b = m[q][k];
            m[p][k] = c * a - s * b;
            m[q][k] = s * a + c * b;
        }
    }
}
