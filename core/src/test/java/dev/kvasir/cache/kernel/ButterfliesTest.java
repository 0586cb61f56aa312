package dev.kvasir.cache.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The butterflies of vectors against the oracle: the same bits. */
class ButterfliesTest {
    private final Butterflies scalar = new ScalarButterflies();
    private final Butterflies vector = new VectorButterflies();
    private final Random random = new Random(3);

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024})
    void runsAreTheOracles(int block) {
        for (int times = 1; times < 12; times++) {
            int count = times * block;
            int offset = random.nextInt(5);
            float[] expected = floats(offset + count + 3);
            float[] found = expected.clone();
            scalar.runs(expected, offset, count, block, 0.3f);
            vector.runs(found, offset, count, block, 0.3f);
            assertThat(found).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4, 8, 16, 32, 64, 512})
    void columnsAreTheOracles(int rows) {
        for (int lanes : new int[] {1, 3, 16, 31, 32, 33, 80}) {
            int stride = lanes + random.nextInt(4);
            int offset = random.nextInt(5);
            float[] expected = floats(offset + rows * stride);
            float[] found = expected.clone();
            scalar.columns(expected, offset, rows, stride, lanes);
            vector.columns(found, offset, rows, stride, lanes);
            assertThat(found).isEqualTo(expected);
        }
    }

    private float[] floats(int count) {
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }
}
