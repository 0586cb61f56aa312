package dev.kvasir.cache.codebook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.cache.kernel.Kernels;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class VectorKMeansTest {
    private static final VectorKMeans.Limits LIMITS = new VectorKMeans.Limits(300, 1e-4);
    private final Random random = new Random(8);

    private static VectorKMeans fit(float[] points, int dimensions, int clusters, long seed) {
        return VectorKMeans.fit(points, points.length / dimensions, dimensions, clusters, LIMITS, seed, Kernels.best());
    }

    private float[] gaussian(int count) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return numbers;
    }

    @Test
    void equalSeedsGiveEqualCentresAndOthersOthers() {
        float[] points = gaussian(900 * 24);
        VectorKMeans one = fit(points, 24, 40, 5);
        assertThat(fit(points, 24, 40, 5).centres()).isDeepEqualTo(one.centres());
        assertThat(Arrays.deepEquals(fit(points, 24, 40, 6).centres(), one.centres()))
                .isFalse();
    }

    @Test
    void objectiveNeverRisesAndNoClusterIsEmpty() {
        for (int[] shape : new int[][] {{70, 3, 64}, {500, 17, 33}, {2000, 64, 100}, {65, 5, 65}, {31, 1, 1}}) {
            float[] points = gaussian(shape[0] * shape[1]);
            VectorKMeans fit = fit(points, shape[1], shape[2], 1);
            for (int i = 1; i < fit.objectives().length; i++) {
                assertThat(fit.objectives()[i]).isLessThanOrEqualTo(fit.objectives()[i - 1]);
            }
            assertThat(Arrays.stream(fit.sizes()).min().orElseThrow()).isPositive();
            assertThat(Arrays.stream(fit.sizes()).sum()).isEqualTo(shape[0]);
        }
    }

    @Test
    void lastObjectiveIsThatOfTheCentres() {
        float[] points = gaussian(600 * 12);
        VectorKMeans fit = fit(points, 12, 50, 3);
        double sum = 0;
        for (int i = 0; i < 600; i++) {
            double least = Double.POSITIVE_INFINITY;
            for (float[] centre : fit.centres()) {
                double distance = 0;
                for (int d = 0; d < 12; d++) {
                    distance += Math.pow(points[i * 12 + d] - (double) centre[d], 2);
                }
                least = Math.min(least, distance);
            }
            sum += least;
        }
        assertThat(fit.objectives()[fit.objectives().length - 1])
                .isCloseTo(sum, org.assertj.core.data.Offset.offset(1e-5 * sum));
    }

    /** With many copies of few points some centres lose all points at first: these must begin again where points are left. */
    @Test
    void emptyClustersBeginAgainWherePointsAreFarthest() {
        int distinct = 40;
        float[] kinds = gaussian(distinct * 8);
        float[] points = new float[distinct * 50 * 8];
        for (int i = 0; i < distinct * 50; i++) {
            // Most points are of the first kind.
            int kind = i % 50 == 0 ? i / 50 : 0;
            System.arraycopy(kinds, kind * 8, points, i * 8, 8);
        }
        VectorKMeans fit = fit(points, 8, distinct, 2);
        assertThat(fit.objectives()[fit.objectives().length - 1]).isLessThan(1e-6);
        assertThat(Arrays.stream(fit.sizes()).min().orElseThrow()).isPositive();
    }

    @Test
    void findsClustersThatAreFarApart() {
        float[] middles = gaussian(20 * 16);
        float[] points = new float[20 * 30 * 16];
        for (int i = 0; i < points.length; i++) {
            points[i] = 20 * middles[i / 16 % 20 * 16 + i % 16] + (float) random.nextGaussian() * 0.1f;
        }
        VectorKMeans fit = fit(points, 16, 20, 11);
        double perNumber = fit.objectives()[fit.objectives().length - 1] / points.length;
        assertThat(perNumber).isLessThan(0.012);
        assertThat(fit.sizes()).containsOnly(30);
    }

    @Test
    void fewerPointsThanClustersAreRefused() {
        assertThatThrownBy(() -> fit(new float[12], 4, 4, 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("4 clusters of 3 points");
    }
}
