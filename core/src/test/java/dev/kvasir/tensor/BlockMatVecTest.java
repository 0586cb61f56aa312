package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kvasir.model.TestModels;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BlockMatVecTest {
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "IQ4_NL"})
    void fourRowsAgreeWithTheOracleAndNothingElseIsWritten(DType dtype) {
        assumeTrue(BlockMatVec.serves(dtype), "this machine's vectors do not fit " + dtype);
        Random random = new Random(51);
        for (int round = 0; round < 60; round++) {
            int rows = 4 + random.nextInt(9);
            int columns = dtype.blockElements() * (1 + random.nextInt(6));
            int row = random.nextInt(rows - 3);
            Matrix w = TestModels.matrix(dtype, rows, columns, random);
            float[] x = new float[columns];
            for (int i = 0; i < columns; i++) {
                x[i] = (float) random.nextGaussian();
            }
            double[] expected = ScalarKernels.linear(w, x, 1);
            float[] out = new float[rows];
            Arrays.fill(out, Float.NaN);
            MatVec.set(w, row, x, out);
            for (int i = 0; i < rows; i++) {
                if (i >= row && i < row + 4) {
                    assertThat((double) out[i])
                            .as("%s [%d][%d], row %d", dtype, rows, columns, i)
                            .isCloseTo(expected[i], offset(1e-5));
                } else {
                    assertThat(out[i]).isNaN();
                }
            }
        }
    }
}
