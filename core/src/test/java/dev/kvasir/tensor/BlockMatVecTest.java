package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kvasir.model.TestModels;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BlockMatVecTest {
    /** A unit vector picks a column: each code must be multiplied with its own number, whatever the sums round to. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "IQ4_NL", "Q5_0", "Q5_1"})
    void everyWeightMeetsItsOwnColumn(DType dtype) {
        assumeTrue(BlockMatVec.serves(dtype), "this machine's vectors do not fit " + dtype);
        checkColumns(dtype, 96);
    }

    static void checkColumns(DType dtype, int columns) {
        Matrix w = TestModels.matrix(dtype, 3, columns, new Random(51));
        float[] row = new float[columns];
        float[] out = new float[3];
        for (int column = 0; column < columns; column++) {
            float[] x = new float[columns];
            x[column] = 1;
            MatVec.set(w, 0, 3, x, out);
            for (int r = 0; r < 3; r++) {
                RowReader.read(w, r, 0, columns, row, 0);
                assertThat(out[r])
                        .as("%s, row %d, column %d", dtype, r, column)
                        .isCloseTo(row[column], offset(2e-6f * Math.max(1, Math.abs(row[column]))));
            }
        }
    }
}
