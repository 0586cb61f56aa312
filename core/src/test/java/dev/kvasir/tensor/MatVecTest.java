package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kvasir.model.TestModels;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MatVecTest {
    @ParameterizedTest
    @EnumSource(DType.class)
    void agreesWithTheOracleAndWritesNothingElse(DType dtype) {
        check(dtype, 61);
    }

    /** Any rows of matrices of random shapes, odd numbers of columns too where the type allows them. */
    static void check(DType dtype, int seed) {
        assumeTrue(MatVec.serves(dtype), "this machine's vectors do not fit " + dtype);
        Random random = new Random(seed);
        for (int round = 0; round < 60; round++) {
            int rows = 1 + random.nextInt(9);
            int columns = dtype.blockElements() * (1 + random.nextInt(dtype.isPacked() ? 7 : 100));
            int from = random.nextInt(rows + 1);
            int to = from + random.nextInt(rows + 1 - from);
            Matrix w = TestModels.matrix(dtype, rows, columns, random);
            float[] x = new float[columns];
            for (int i = 0; i < columns; i++) {
                x[i] = (float) random.nextGaussian();
            }
            double[] expected = ScalarKernels.linear(w, x, 1);
            float[] out = new float[rows];
            Arrays.fill(out, Float.NaN);
            MatVec.set(w, from, to, x, out);
            for (int i = 0; i < rows; i++) {
                if (i >= from && i < to) {
                    assertThat((double) out[i])
                            .as("%s [%d][%d], row %d", dtype, rows, columns, i)
                            .isCloseTo(expected[i], offset(1e-5));
                } else {
                    assertThat(out[i]).isNaN();
                }
            }
        }
    }

    @Test
    void readsEveryBf16AsTheUpperHalfOfAFloat() {
        short[] all = new short[1 << 16];
        for (int i = 0; i < all.length; i++) {
            all[i] = (short) i;
        }
        MemorySegment data = MemorySegment.ofArray(all);
        int[] read = new int[Simd.LANES];
        for (int i = 0; i < all.length; i += Simd.LANES) {
            MatVec.bf16At(data, 2L * i).reinterpretAsInts().intoArray(read, 0);
            for (int j = 0; j < read.length; j++) {
                assertThat(read[j]).isEqualTo((i + j) << 16);
            }
        }
    }

    /** What is not finite in a row must reach the product, as with the scalar path. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "BF16"})
    void infinityReachesTheProduct(DType dtype) {
        for (int column = 0; column < 37; column++) {
            Matrix w = TestModels.matrix(dtype, 1, 37, new Random(62));
            if (dtype == DType.F32) {
                w.data().set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * column, Float.POSITIVE_INFINITY);
            } else {
                w.data().set(Halves.LAYOUT, 2L * column, (short) 0x7f80);
            }
            float[] x = new float[37];
            Arrays.fill(x, 1);
            float[] out = new float[1];
            MatVec.set(w, 0, 1, x, out);
            assertThat(out[0]).isEqualTo(Float.POSITIVE_INFINITY);
        }
    }
}
