package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class QuantizeTest {
    private static byte[] encoded(DType dtype, float... numbers) {
        byte[] bytes = new byte[Math.toIntExact(dtype.bytes(numbers.length))];
        Quantize.encode(dtype, numbers, 0, numbers.length, MemorySegment.ofArray(bytes), 0);
        return bytes;
    }

    private static float[] decoded(DType dtype, byte[] bytes, int count) {
        float[] numbers = new float[count];
        RowReader.read(new Matrix(dtype, 1, count, MemorySegment.ofArray(bytes)), 0, 0, count, numbers, 0);
        return numbers;
    }

    private static float[] normal(int count, long seed) {
        Random random = new Random(seed);
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return numbers;
    }

    /** What ggml's quantize_row_*_ref made of x[i] = ((i * 37) % 64 - 21) / 16, i = 0 to 31. */
    @ParameterizedTest
    @CsvSource({
        "Q8_0, 4b25c030df4ffd6d1bca39e858067624d343f1610f7f2ddc4cfa6a18c736e5550373",
        "Q4_0, 40b59c257a0358a1368b146ac258a1368b14",
        "Q4_1, 333440bd40d962fb952eb751da730c953ec851ea",
        "Q5_0, 40b19542a154284ae406a0526d1739d3759f315b0628",
        "Q5_1, 113040bd2ab55aa980a2d5f72a4c7f91c4e6193b6e80b3d5"
    })
    void writesTheBytesOfGgml(DType dtype, String expected) {
        float[] x = new float[32];
        for (int i = 0; i < 32; i++) {
            x[i] = (i * 37 % 64 - 21) / 16f;
        }
        assertThat(HexFormat.of().formatHex(encoded(dtype, x))).isEqualTo(expected);
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"})
    void everyNumberComesBackWithinHalfAStep(DType dtype) {
        float[] numbers = normal(32 * 200, 31);
        float[] back = decoded(dtype, encoded(dtype, numbers), numbers.length);
        for (int block = 0; block < numbers.length; block += 32) {
            float[] x = Arrays.copyOfRange(numbers, block, block + 32);
            Arrays.sort(x);
            float most = Math.max(-x[0], x[31]);
            float step = switch (dtype) {
                case Q8_0 -> most / 127;
                case Q4_0 -> most / 8;
                case Q5_0 -> most / 16;
                case Q4_1 -> (x[31] - x[0]) / 15;
                default -> (x[31] - x[0]) / 31;
            };
            // Q4_0 and Q5_0 have no code for the side opposite to the largest number: a whole step there.
            float room = dtype == DType.Q4_0 || dtype == DType.Q5_0 ? 1 : 0.5f;
            for (int i = block; i < block + 32; i++) {
                // 2^-11 of the largest number: the scale is rounded to F16.
                assertThat(Math.abs(back[i] - numbers[i])).isLessThanOrEqualTo(room * step + most / 1000);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"})
    void zerosStayZeros(DType dtype) {
        for (float number : decoded(dtype, encoded(dtype, new float[64]), 64)) {
            // Of either sign: ggml's scale of a block of zeros may be -0.
            assertThat(number == 0).isTrue();
        }
    }

    @Test
    void plainNumbersRoundToEven() {
        float[] x = {1 + 0x1p-8f, 1 + 3 * 0x1p-8f, -0.1f, Float.POSITIVE_INFINITY};
        assertThat(decoded(DType.BF16, encoded(DType.BF16, x), 4))
                .containsExactly(1, 1 + 0x1p-6f, -0x1.9ap-4f, Float.POSITIVE_INFINITY);
        float[] y = {1 + 0x1p-11f, 1 + 3 * 0x1p-11f, -0.1f, 0};
        assertThat(decoded(DType.F16, encoded(DType.F16, y), 4)).containsExactly(1, 1 + 0x1p-9f, -0x1.998p-4f, 0);
        assertThat(decoded(DType.F32, encoded(DType.F32, y), 4)).containsExactly(y);
        assertThat(decoded(DType.BF16, encoded(DType.BF16, Float.NaN), 1)).containsExactly(Float.NaN);
    }

    @Test
    void writesAPieceOnly() {
        byte[] out = new byte[3 + 34 + 2];
        float[] numbers = normal(64, 32);
        Quantize.encode(DType.Q8_0, numbers, 16, 32, MemorySegment.ofArray(out), 3);
        assertThat(Arrays.copyOfRange(out, 3, 37)).isEqualTo(encoded(DType.Q8_0, Arrays.copyOfRange(numbers, 16, 48)));
        assertThat(new byte[] {out[0], out[1], out[2], out[37], out[38]}).containsOnly(0);
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"})
    void refusesNumbersThatABlockCannotHold(DType dtype) {
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, -1e9f}) {
            for (int at : new int[] {0, 7, 31}) {
                float[] numbers = normal(32, 33);
                numbers[at] = bad;
                assertThatThrownBy(() -> encoded(dtype, numbers)).isInstanceOf(InvalidInputException.class);
            }
        }
    }

    @Test
    void refusesWhatItCannotMake() {
        assertThatThrownBy(() -> encoded(DType.Q6_K, new float[256])).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> encoded(DType.Q4_0, new float[33]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("rows of Q4_0 are whole blocks of 32 columns, found 33");
        assertThatThrownBy(
                        () -> Quantize.encode(DType.Q4_0, new float[32], 0, 32, MemorySegment.ofArray(new byte[17]), 0))
                .isInstanceOf(IndexOutOfBoundsException.class);
    }
}
