package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is given to a library and taken from it, with one that multiplies by plain loops. */
class Bf16ProductsTest {
    private final Random random = new Random(8);

    /** Plain loops over what it is given. */
    static final ProductLibrary LOOPS = new ProductLibrary() {
        @Override
        public String name() {
            return "loops";
        }

        @Override
        public boolean isFast() {
            return true;
        }

        @Override
        public void multiply(
                MemorySegment x, int tokens, MemorySegment weights, int rows, int columns, MemorySegment out) {
            for (int t = 0; t < tokens; t++) {
                for (int r = 0; r < rows; r++) {
                    double sum = 0;
                    for (int c = 0; c < columns; c++) {
                        sum += (double) bf16(x, t * columns + c) * bf16(weights, r * columns + c);
                    }
                    out.setAtIndex(ValueLayout.JAVA_FLOAT, (long) t * rows + r, (float) sum);
                }
            }
        }
    };

    private static float bf16(MemorySegment data, int index) {
        return Float.intBitsToFloat(data.getAtIndex(ValueLayout.JAVA_SHORT, index) << 16);
    }

    /** The nearest number whose lower half is 0; of two the one whose last bit is 0. */
    private static float rounded(float x) {
        float down = Float.intBitsToFloat(Float.floatToRawIntBits(x) & 0xffff0000);
        float up = Float.intBitsToFloat((Float.floatToRawIntBits(x) & 0xffff0000) + 0x10000);
        double below = Math.abs((double) x - down);
        double above = Math.abs((double) up - x);
        boolean even = ((Float.floatToRawIntBits(down) >>> 16) & 1) == 0;
        return below < above || (below == above && even) ? down : up;
    }

    private float[] numbers(int count) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return numbers;
    }

    private static Matrix matrix(DType dtype, int rows, int columns, float[] numbers) {
        MemorySegment data = Arena.ofAuto().allocate(rows * dtype.bytes(columns), 64);
        for (int i = 0; i < numbers.length; i++) {
            if (dtype == DType.F32) {
                data.setAtIndex(ValueLayout.JAVA_FLOAT, i, numbers[i]);
            } else {
                data.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (Float.floatToRawIntBits(numbers[i]) >>> 16));
            }
        }
        return new Matrix(dtype, rows, columns, data);
    }

    @ParameterizedTest
    @CsvSource({"F32, 9, 7, 33", "F32, 70, 200, 64", "BF16, 12, 1100, 20", "BF16, 31, 130, 48"})
    void multipliesWhatIsRounded(DType dtype, int tokens, int rows, int columns) {
        float[] x = numbers(tokens * columns);
        float[] weights = numbers(rows * columns);
        if (dtype == DType.BF16) {
            for (int i = 0; i < weights.length; i++) {
                weights[i] = rounded(weights[i]);
            }
        }
        float[] found = new float[tokens * rows];
        float[] again = new float[tokens * rows];
        Matrix matrix = matrix(dtype, rows, columns, weights);
        try (Workers one = Workers.of(1);
                Workers three = Workers.of(3)) {
            multiply(one, x, tokens, matrix, found);
            multiply(three, x, tokens, matrix, again);
        }
        assertThat(again).isEqualTo(found);
        for (int t = 0; t < tokens; t++) {
            for (int r = 0; r < rows; r++) {
                double sum = 0;
                for (int c = 0; c < columns; c++) {
                    sum += (double) rounded(x[t * columns + c]) * rounded(weights[r * columns + c]);
                }
                assertThat(found[t * rows + r]).isEqualTo((float) sum);
            }
        }
    }

    private static void multiply(Workers workers, float[] x, int tokens, Matrix matrix, float[] out) {
        Bf16Products products = new Bf16Products(LOOPS, workers);
        products.input(x, tokens, matrix.columns());
        products.apply(matrix, out);
    }

    @Test
    void roundsToTheNearestAndTiesToEven() {
        float[] x = {
            1,
            0x1.01p0f,
            0x1.03p0f,
            -0x1.01p0f,
            0x1.010002p0f,
            0x1.fep127f,
            0x1p-133f,
            0,
            -0f,
            0.3f,
            -7.77f,
            1e10f,
            5,
            6,
            7,
            8,
            0.1f
        };
        MemorySegment out = Arena.ofAuto().allocate(2L * x.length, 64);
        Bf16Products.round(x, 0, x.length, out, 0);
        for (int i = 0; i < x.length; i++) {
            assertThat(bf16(out, i)).isEqualTo(rounded(x[i]));
        }
    }
}
