package dev.kvasir.cache.codebook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Nearest levels, and NormalFloat's. */
class CodebookTest {
    @Test
    void codesAreTheNearestLevelsAndTiesGoDown() {
        Random random = new Random(3);
        for (int trial = 0; trial < 200; trial++) {
            float[] levels = new float[1 + random.nextInt(20)];
            for (int i = 0; i < levels.length; i++) {
                levels[i] = random.nextBoolean() ? random.nextInt(9) - 4 : (float) random.nextGaussian();
            }
            Arrays.sort(levels);
            Codebook codebook = new Codebook(levels);
            for (int i = 0; i < 200; i++) {
                float x = random.nextBoolean() ? random.nextInt(24) / 2f - 6 : (float) random.nextGaussian() * 3;
                int nearest = 0;
                for (int code = 1; code < levels.length; code++) {
                    double distance = Math.abs((double) levels[code] - x);
                    nearest = distance < Math.abs((double) levels[nearest] - x) ? code : nearest;
                }
                assertThat(codebook.code(x)).isEqualTo(nearest);
                assertThat(codebook.round(x)).isEqualTo(levels[nearest]);
            }
        }
    }

    @Test
    void bordersCountBelow() {
        Codebook codebook = Codebook.uniform(2, -1, 2);
        assertThat(codebook.levels()).containsExactly(-1, 0, 1, 2);
        assertThat(codebook.borders()).containsExactly(-0.5f, 0.5f, 1.5f);
        assertThat(codebook.scaled(2, 1).levels()).containsExactly(-1, 1, 3, 5);
    }

    @Test
    void levelsMustAscend() {
        assertThatThrownBy(() -> new Codebook(new float[] {0, 2, 1})).hasMessageContaining("level 2 is 1.0");
        assertThatThrownBy(() -> new Codebook(new float[] {0, Float.NaN})).hasMessageContaining("NaN");
        assertThatThrownBy(() -> new Codebook(new float[0])).hasMessageContaining("0 levels");
    }

    /** The sixteen numbers that QLoRA's authors print. */
    @Test
    void fourBitNormalFloatIsThePublishedOne() {
        double[] published = {
            -1,
            -0.69619280,
            -0.52507305,
            -0.39491749,
            -0.28444138,
            -0.18477343,
            -0.09105004,
            0,
            0.07958030,
            0.16093020,
            0.24611230,
            0.33791524,
            0.44070983,
            0.56261700,
            0.72295684,
            1
        };
        Codebook levels = NormalFloat.levels(4);
        assertThat(IntStream.range(0, 16).mapToDouble(levels::level).toArray())
                .containsExactly(published, within(2e-6));
        assertThat(NormalFloat.levels(2).levels()).contains(-1f, 0f, 1f).hasSize(4);
        assertThat(NormalFloat.levels(3).levels()).contains(-1f, 0f, 1f).hasSize(8);
    }
}
