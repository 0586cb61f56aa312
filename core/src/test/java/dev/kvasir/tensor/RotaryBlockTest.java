package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Keys rotated on read by blocks. */
final class RotaryBlockTest {
    private static final int QUERY = 131_071;

    @ParameterizedTest
    @ValueSource(ints = {8, 64, 80, 96, 128, 256})
    void innerProductsAreThoseOfRotatedKeys(int headDim) {
        RotaryTable table = RotaryTable.of(headDim, 500_000);
        RotaryBlock block = new RotaryBlock(table);
        RotaryBlock doubling = new RotaryBlock(table, 2);
        table.reach(QUERY);
        Random random = new Random(headDim);
        float[] query = rotated(table, gaussian(headDim, random), QUERY);
        for (int start : new int[] {0, 32, 4096 + 64, QUERY - 31}) {
            float[] tile = gaussian(headDim * RotaryBlock.TOKENS, random);
            float[] turned = tile.clone();
            block.turn(turned, 0);
            float[] doubled = tile.clone();
            doubling.turn(doubled, 0);
            for (int i = 0; i < doubled.length; i++) {
                assertThat(doubled[i]).isEqualTo(2 * turned[i]);
            }
            float[] back = new float[headDim];
            block.turnBack(start, query, 0, 1, back, 0);
            float[] dots = new float[RotaryBlock.TOKENS + 1];
            block.dots(back, 0, tile, 0, dots, 1);
            for (int j = 0; j < RotaryBlock.TOKENS; j++) {
                float[] key = rotated(table, column(tile, headDim, j), start + j);
                double expected = dot(query, key);
                assertThat(dot(back, column(turned, headDim, j))).isCloseTo(expected, within(2e-5 * headDim));
                assertThat((double) dots[j + 1]).isCloseTo(expected, within(2e-5 * headDim));
                // One position off is another number: the test can fail.
                if (j > 0) {
                    assertThat(Math.abs(dot(back, column(turned, headDim, j - 1)) - expected))
                            .isGreaterThan(1e-3);
                }
            }
        }
    }

    private static float[] gaussian(int count, Random random) {
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }

    private static float[] rotated(RotaryTable table, float[] x, int position) {
        float[] out = new float[x.length];
        table.rotate(position, 1, x, 0, out, 0);
        return out;
    }

    private static float[] column(float[] tile, int headDim, int j) {
        float[] column = new float[headDim];
        for (int c = 0; c < headDim; c++) {
            column[c] = tile[c * RotaryBlock.TOKENS + j];
        }
        return column;
    }

    private static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * (double) b[i];
        }
        return sum;
    }
}
