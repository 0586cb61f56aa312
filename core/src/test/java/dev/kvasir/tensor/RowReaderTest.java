package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.model.TestModels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RowReaderTest {
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F16", "BF16"})
    void readsEveryPatternOfSixteenBitsExactly(DType dtype) {
        MemorySegment data = Arena.ofAuto().allocate(2 * 65536);
        for (int i = 0; i < 65536; i++) {
            data.set(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 2L * i, (short) i);
        }
        Matrix matrix = new Matrix(dtype, 256, 256, data);
        float[] read = new float[65536];
        RowReader.read(matrix, 0, 0, 65536, read, 0);
        for (int i = 0; i < 65536; i++) {
            // As bits, with one NaN for all.
            assertThat(Float.floatToIntBits(read[i]))
                    .isEqualTo(Float.floatToIntBits(TestModels.element(matrix, i / 256, i % 256)));
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void readsAnyPieceAndTouchesNothingElse(DType dtype) {
        Random random = new Random(21);
        int columns = dtype.isPacked() ? 3 * dtype.blockElements() : 53;
        Matrix matrix = TestModels.matrix(dtype, 7, columns, random);
        for (int round = 0; round < 300; round++) {
            int row = random.nextInt(7);
            int column = random.nextInt(columns);
            int count = random.nextInt(columns - column + 1);
            int at = random.nextInt(20);
            float[] expected = TestModels.row(matrix, row);
            float[] out = new float[at + count + 3];
            RowReader.read(matrix, row, column, count, out, at);
            for (int i = 0; i < out.length; i++) {
                boolean inside = i >= at && i < at + count;
                assertThat(out[i])
                        .as("%s, element %d", dtype, column + i - at)
                        .isEqualTo(inside ? expected[column + i - at] : 0);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void readsOnIntoTheNextRows(DType dtype) {
        int columns = dtype.isPacked() ? 2 * dtype.blockElements() : 37;
        Matrix matrix = TestModels.matrix(dtype, 4, columns, new Random(22));
        float[] out = new float[2 * columns + 3];
        RowReader.read(matrix, 1, 5, out.length, out, 0);
        for (int i = 0; i < out.length; i++) {
            int index = columns + 5 + i;
            assertThat(out[i]).isEqualTo(TestModels.element(matrix, index / columns, index % columns));
        }
    }

    @Test
    void refusesToReadOutside() {
        Matrix matrix = TestModels.matrix(DType.BF16, 3, 5, new Random(1));
        float[] out = new float[16];
        assertThatThrownBy(() -> RowReader.read(matrix, 3, 0, 1, out, 0)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> RowReader.read(matrix, -1, 0, 1, out, 0))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> RowReader.read(matrix, 2, 1, 5, out, 0)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> RowReader.read(matrix, 0, 0, 5, out, 12))
                .isInstanceOf(IndexOutOfBoundsException.class);
    }
}
