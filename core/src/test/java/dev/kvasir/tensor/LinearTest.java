package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import dev.kvasir.model.TestModels;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LinearTest {
    private static final Workers ONE = Workers.of(1);
    private static final Workers TWO = Workers.of(2);

    @AfterAll
    static void close() {
        ONE.close();
        TWO.close();
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void agreesWithTheOracleOnRandomShapes(DType dtype) {
        Random random = new Random(11);
        for (int round = 0; round < 120; round++) {
            int rows = 1 + random.nextInt(random.nextBoolean() ? 12 : 150);
            int columns = 1 + random.nextInt(random.nextBoolean() ? 40 : 700);
            int tokens = 1 + random.nextInt(random.nextBoolean() ? 9 : 70);
            check(dtype, rows, columns, tokens, random);
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void agreesWithTheOracleOnLargeShapes(DType dtype) {
        Random random = new Random(12);
        // Longer than a chunk of columns, more rows than a part; edges on both sides.
        for (int tokens : new int[] {1, 2, 8, 9, 33}) {
            check(dtype, 131, 2049, tokens, random);
            check(dtype, 1027, 257, tokens, random);
        }
    }

    private static void check(DType dtype, int rows, int atLeast, int tokens, Random random) {
        int columns = wholeBlocks(dtype, atLeast);
        Matrix w = TestModels.matrix(dtype, rows, columns, random);
        float[] x = numbers(tokens * columns, random);
        // Longer than needed, and holding what must neither be read nor left.
        float[] out = new float[tokens * rows + 5];
        Arrays.fill(out, Float.NaN);
        Linear linear = new Linear(TWO);
        linear.input(x, tokens, columns);
        linear.apply(w, out);
        double[] expected = ScalarKernels.linear(w, x, tokens);
        for (int i = 0; i < expected.length; i++) {
            // Products are of the order of one: 2e-5 leaves room for float sums over 2049 columns.
            assertThat((double) out[i])
                    .as("%s [%d][%d], %d tokens, output %d", dtype, rows, columns, tokens, i)
                    .isCloseTo(expected[i], offset(2e-5));
        }
        for (int i = expected.length; i < out.length; i++) {
            assertThat(out[i]).isNaN();
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void isIdenticalForAnyNumberOfThreadsAndHoweverOftenItRan(DType dtype) {
        Random random = new Random(13);
        int columns = wholeBlocks(dtype, 300);
        Matrix w = TestModels.matrix(dtype, 500, columns, random);
        try (Workers three = Workers.of(3)) {
            for (int tokens : new int[] {1, 3, 8, 65}) {
                float[] x = numbers(tokens * columns, random);
                float[] first = apply(ONE, w, x, tokens);
                // Enough rounds for the compiler to replace the interpreter on the way.
                for (int round = 0; round < 300; round++) {
                    assertThat(apply(round % 2 == 0 ? TWO : three, w, x, tokens))
                            .isEqualTo(first);
                }
            }
        }
    }

    @Test
    void oneInputServesSeveralMatrices() {
        Random random = new Random(14);
        Linear linear = new Linear(TWO);
        for (int tokens : new int[] {40, 12, 50}) {
            float[] x = numbers(tokens * 64, random);
            linear.input(x, tokens, 64);
            for (int rows : new int[] {30, 70}) {
                Matrix w = TestModels.matrix(DType.F32, rows, 64, random);
                float[] out = new float[tokens * rows];
                linear.apply(w, out);
                assertThat(out).isEqualTo(apply(ONE, w, x, tokens));
            }
        }
    }

    @Test
    void refusesWhatDoesNotFit() {
        Linear linear = new Linear(ONE);
        assertThatThrownBy(() -> linear.input(new float[5], 2, 3)).isInstanceOf(IllegalArgumentException.class);
        linear.input(new float[6], 2, 3);
        Matrix w = TestModels.matrix(DType.F32, 4, 3, new Random(1));
        assertThatThrownBy(() -> linear.apply(w, new float[7])).isInstanceOf(IllegalArgumentException.class);
        Matrix other = TestModels.matrix(DType.F32, 3, 4, new Random(1));
        assertThatThrownBy(() -> linear.apply(other, new float[8])).isInstanceOf(IllegalArgumentException.class);
    }

    private static int wholeBlocks(DType dtype, int columns) {
        int size = dtype.blockElements();
        return (columns + size - 1) / size * size;
    }

    private static float[] apply(Workers workers, Matrix w, float[] x, int tokens) {
        Linear linear = new Linear(workers);
        linear.input(x, tokens, w.columns());
        float[] out = new float[tokens * w.rows()];
        linear.apply(w, out);
        return out;
    }

    private static float[] numbers(int count, Random random) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return numbers;
    }
}
