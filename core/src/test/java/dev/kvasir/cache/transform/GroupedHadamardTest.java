package dev.kvasir.cache.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The rotation over several heads, by rows and by tiles. */
class GroupedHadamardTest {
    @ParameterizedTest
    @CsvSource({"1, 64, 32", "4, 128, 32", "4, 128, 1", "2, 128, 37", "4, 80, 32", "8, 96, 5", "4, 3, 17"})
    void tileIsTheRows(int heads, int headDim, int tokens) {
        GroupedHadamard rotation = new GroupedHadamard(heads, headDim);
        int width = heads * headDim;
        int stride = tokens + 3;
        float[] rows = TransformTest.gaussians(tokens * width, 1);
        float[] tile = new float[5 + width * stride];
        Arrays.fill(tile, 7);
        for (int t = 0; t < tokens; t++) {
            for (int c = 0; c < width; c++) {
                tile[5 + c * stride + t] = rows[t * width + c];
            }
        }
        float[] raw = tile.clone();
        rotation.apply(rows, 0, tokens);
        rotation.applyTile(tile, 5, stride, tokens);
        rotation.butterflies(raw, 5, stride, tokens);

        for (int c = 0; c < width; c++) {
            for (int t = 0; t < tokens; t++) {
                double row = rows[t * width + c];
                assertThat((double) tile[5 + c * stride + t]).isCloseTo(row, within(1e-6));
                assertThat((double) raw[5 + c * stride + t] * rotation.norm()).isCloseTo(row, within(1e-6));
            }
            for (int t = tokens; t < stride; t++) {
                assertThat(tile[5 + c * stride + t]).isEqualTo(7);
            }
        }
    }

    @Test
    void isOneHadamardMatrixWithTheHeadAsSlowIndex() {
        float[] x = TransformTest.gaussians(512, 2);
        float[] grouped = x.clone();
        new GroupedHadamard(4, 128).apply(grouped, 0, 1);
        new Hadamard(512).apply(x, 0, 1);
        assertThat(grouped).isEqualTo(x);
    }

    @Test
    void mixesHeadsOfOddWidthsToo() {
        float[] x = new float[4 * 80];
        x[81] = 1;
        new GroupedHadamard(4, 80).apply(x, 0, 1);
        int touched = 0;
        for (float y : x) {
            touched += y != 0 ? 1 : 0;
        }
        assertThat(touched).isEqualTo(4 * 16);
        assertThatThrownBy(() -> new GroupedHadamard(3, 64)).hasMessageContaining("3 heads");
    }
}
