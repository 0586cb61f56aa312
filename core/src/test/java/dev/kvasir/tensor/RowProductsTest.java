package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.util.Random;
import org.junit.jupiter.api.Test;

class RowProductsTest {
    private static float[] numbers(Random random, int count) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return numbers;
    }

    @Test
    void addsTheProductsOfRowsAndOfColumns() {
        Random random = new Random(5);
        for (int round = 0; round < 100; round++) {
            int rows = 1 + random.nextInt(20);
            int inputs = 1 + random.nextInt(50);
            int outputs = 1 + random.nextInt(80);
            boolean columns = random.nextBoolean();
            float[] x = numbers(random, 3 + rows * inputs);
            float[] w = numbers(random, 2 + inputs * outputs);
            float[] before = numbers(random, 1 + rows * outputs + 4);
            float[] out = before.clone();
            int rowStride = columns ? 1 : inputs;
            int inputStride = columns ? rows : 1;

            RowProducts.add(x, 3, rowStride, inputStride, rows, w, 2, inputs, outputs, out, 1);

            for (int t = 0; t < rows; t++) {
                for (int o = 0; o < outputs; o++) {
                    double sum = before[1 + t * outputs + o];
                    for (int i = 0; i < inputs; i++) {
                        sum += (double) x[3 + t * rowStride + i * inputStride] * w[2 + i * outputs + o];
                    }
                    assertThat((double) out[1 + t * outputs + o]).isCloseTo(sum, offset(1e-4));
                }
            }
            assertThat(out[0]).isEqualTo(before[0]);
            assertThat(out[out.length - 1]).isEqualTo(before[out.length - 1]);
        }
    }

    @Test
    void rowsDoNotDependOnTheRowsBesideThem() {
        Random random = new Random(6);
        int inputs = 37;
        int outputs = 41;
        float[] x = numbers(random, 11 * inputs);
        float[] w = numbers(random, inputs * outputs);
        float[] together = new float[11 * outputs];
        RowProducts.add(x, 0, inputs, 1, 11, w, 0, inputs, outputs, together, 0);

        float[] alone = new float[11 * outputs];
        for (int t = 0; t < 11; t++) {
            RowProducts.add(x, t * inputs, inputs, 1, 1, w, 0, inputs, outputs, alone, t * outputs);
        }
        assertThat(alone).isEqualTo(together);
    }
}
