package dev.kvasir.cache.codebook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.transform.RandomRotation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Lloyd-Max quantizers against Max's tables and TurboQuant's figures. */
class LloydMaxTest {
    @Test
    void gaussianLevelsAreThoseOfMaxesTables() {
        assertThat(positive(1)).containsExactly(new double[] {0.7979}, within(1e-4));
        assertThat(positive(2)).containsExactly(new double[] {0.4528, 1.5104}, within(1e-4));
        assertThat(positive(3)).containsExactly(new double[] {0.2451, 0.7560, 1.3439, 2.1520}, within(1e-4));
        assertThat(positive(4))
                .containsExactly(
                        new double[] {0.1284, 0.3881, 0.6568, 0.9424, 1.2562, 1.6181, 2.0690, 2.7326}, within(2e-4));
    }

    private static double[] positive(int bits) {
        Codebook codebook = LloydMax.of(Density.gaussian(1), bits).codebook();
        double[] levels = new double[codebook.size() / 2];
        for (int i = 0; i < levels.length; i++) {
            levels[i] = codebook.level(levels.length + i);
            assertThat(codebook.level(levels.length - 1 - i)).isEqualTo(-codebook.level(levels.length + i));
        }
        return levels;
    }

    @ParameterizedTest
    @CsvSource({"1, 0.3634", "2, 0.1175", "3, 0.03454", "4, 0.009497"})
    void gaussianErrorsAreThoseOfMaxesTables(int bits, double error) {
        assertThat(LloydMax.of(Density.gaussian(1), bits).error()).isCloseTo(error, within(error * 5e-4));
        assertThat(LloydMax.of(Density.gaussian(0.1), bits).error()).isCloseTo(error / 100, within(error * 5e-6));
    }

    /** A coordinate of a point in three dimensions is uniform (Archimedes): uniform levels are best. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void threeDimensionsGiveUniformLevels(int bits) {
        LloydMax quantizer = LloydMax.of(Density.sphere(3), bits);
        double step = 2.0 / (1 << bits);
        for (int i = 0; i < 1 << bits; i++) {
            assertThat((double) quantizer.codebook().level(i)).isCloseTo(-1 + (i + 0.5) * step, within(1e-5));
        }
        assertThat(quantizer.error()).isCloseTo(step * step / 12, within(1e-7));
    }

    @ParameterizedTest
    @CsvSource({"64", "80", "128", "4096"})
    void theSphereTendsToTheGaussian(int dimensions) {
        for (int bits = 1; bits <= 4; bits++) {
            double gaussian = LloydMax.of(Density.gaussian(1), bits).error();
            double sphere = LloydMax.of(Density.sphere(dimensions), bits).error() * dimensions;
            assertThat(sphere).isBetween(gaussian * (1 - 3.0 / dimensions), gaussian);
        }
    }

    /** TurboQuant, theorem 1: mean square errors of unit vectors of about 0.36, 0.117, 0.03 and 0.009 for one to four bits. */
    @ParameterizedTest
    @CsvSource({"1, 0.36", "2, 0.117", "3, 0.034", "4, 0.0094"})
    void aRotatedVectorLosesWhatTheDensitySays(int bits, double paper) {
        int d = 128;
        LloydMax quantizer = LloydMax.of(Density.sphere(d), bits);
        assertThat(quantizer.error() * d).isCloseTo(paper, within(0.04 * paper));
        double error = 0;
        int seeds = 60;
        for (int seed = 0; seed < seeds; seed++) {
            float[] x = new float[d];
            x[seed] = 0.6f;
            x[seed + 1] = -0.8f;
            new RandomRotation(d, seed).apply(x, 0, 1);
            for (float value : x) {
                error += Math.pow(value - quantizer.codebook().round(value), 2) / seeds;
            }
        }
        assertThat(error).isCloseTo(quantizer.error() * d, within(0.06 * paper));
    }

    @Test
    void levelsAreMeansOfWhatIsNearestToThem() {
        Codebook codebook = LloydMax.of(Density.sphere(96), 3).codebook();
        double[] mass = new double[8];
        double[] sums = new double[8];
        for (int i = 0; i < 2_000_000; i++) {
            double x = (i + 0.5) / 1_000_000 - 1;
            double density = Math.pow(1 - x * x, 46.5);
            int code = codebook.code((float) x);
            mass[code] += density;
            sums[code] += density * x;
        }
        for (int i = 0; i < 8; i++) {
            assertThat((double) codebook.level(i)).isCloseTo(sums[i] / mass[i], within(1e-6));
        }
    }

    @Test
    void sillyRequestsAreRefused() {
        assertThatThrownBy(() -> LloydMax.of(Density.gaussian(1), 0)).hasMessageContaining("0 bits");
        assertThatThrownBy(() -> Density.sphere(2)).hasMessageContaining("2 dimensions");
    }
}
