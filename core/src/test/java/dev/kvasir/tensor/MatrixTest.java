package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class MatrixTest {
    private static Matrix matrix(DType dtype, int rows, int columns, int bytes) {
        return new Matrix(dtype, rows, columns, MemorySegment.ofArray(new byte[bytes]));
    }

    @Test
    void knowsTheBytesOfARow() {
        assertThat(matrix(DType.F32, 3, 5, 60).rowBytes()).isEqualTo(20);
        assertThat(matrix(DType.Q8_0, 3, 64, 204).rowBytes()).isEqualTo(68);
        assertThat(matrix(DType.Q6_K, 1, 512, 420).rowBytes()).isEqualTo(420);
    }

    @Test
    void refusesDataOfAnotherSize() {
        assertThatThrownBy(() -> matrix(DType.Q4_0, 3, 64, 107))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("matrix [3][64] of Q4_0 needs 3 rows of 36 bytes, found 107 bytes");
        assertThatThrownBy(() -> matrix(DType.Q4_0, 3, 64, 144)).isInstanceOf(IllegalArgumentException.class);
        // 2^31 - 1 rows of 8 GiB: more than a long counts.
        assertThatThrownBy(() -> matrix(DType.F32, Integer.MAX_VALUE, Integer.MAX_VALUE, 4))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void refusesColumnsThatAreNotWholeBlocks() {
        assertThatThrownBy(() -> matrix(DType.Q4_K, 1, 128, 72))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("matrix [1][128] of Q4_K: rows and columns must be positive, columns a multiple of 256");
        assertThatThrownBy(() -> matrix(DType.BF16, 0, 128, 0)).isInstanceOf(IllegalArgumentException.class);
    }
}
