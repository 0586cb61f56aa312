package dev.kvasir.cache.correction;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SvdTest {
    @ParameterizedTest
    @CsvSource({"1,1,1", "5,1,1", "1,7,1", "8,8,8", "33,17,17", "17,33,17", "96,64,64", "64,64,20", "40,96,7", "12,12,0"
    })
    void factorsGiveTheMatrixBack(int rows, int columns, int trueRank) {
        double[] a = product(rows, columns, trueRank, rows * 31L + columns);

        Svd svd = Svd.of(a, rows, columns);

        assertThat(svd.rank()).isEqualTo(Math.min(rows, columns));
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                double sum = 0;
                for (int k = 0; k < svd.rank(); k++) {
                    sum += svd.u()[k * rows + i] * svd.s()[k] * svd.v()[k * columns + j];
                }
                assertThat(Math.abs(sum - a[i * columns + j])).isLessThan(1e-12 * (1 + svd.s()[0]));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"9,9,9", "50,31,31", "31,50,31", "64,48,5", "30,30,1", "6,9,0"})
    void vectorsAreOrthonormalWhateverTheRank(int rows, int columns, int trueRank) {
        Svd svd = Svd.of(product(rows, columns, trueRank, 5), rows, columns);

        assertThat(Svd.skewness(svd.u(), svd.rank(), rows)).isLessThan(1e-12);
        assertThat(Svd.skewness(svd.v(), svd.rank(), columns)).isLessThan(1e-12);
        for (int k = 1; k < svd.rank(); k++) {
            assertThat(svd.s()[k]).isBetween(0.0, svd.s()[k - 1]);
            if (k >= trueRank) {
                assertThat(svd.s()[k]).isLessThan(1e-11);
            }
        }
    }

    @Test
    void findsKnownValuesOverManyMagnitudes() {
        double[] a = new double[9 * 4];
        double[] wanted = {1e6, 3, 1e-3, 1e-9};
        int[] rowOf = {5, 0, 8, 2};
        int[] columnOf = {2, 3, 0, 1};
        for (int k = 0; k < 4; k++) {
            a[rowOf[k] * 4 + columnOf[k]] = k == 1 ? -wanted[k] : wanted[k];
        }

        double[] s = Svd.of(a, 9, 4).s();

        for (int k = 0; k < 4; k++) {
            assertThat(Math.abs(s[k] - wanted[k])).isLessThan(1e-12 * wanted[k]);
        }
    }

    @Test
    void equalMatricesGiveEqualBits() {
        double[] a = product(40, 24, 24, 11);

        assertThat(Svd.of(a, 40, 24).u()).isEqualTo(Svd.of(a.clone(), 40, 24).u());
    }

    @Test
    void refusesNumbersThatAreNotFinite() {
        float[] a = {1, 2, Float.NaN, 4};

        assertThatThrownBy(() -> Svd.of(a, 2, 2))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("row 1, column 0");
    }

    private static double[] product(int rows, int columns, int rank, long seed) {
        Random random = new Random(seed);
        double[] left = random.doubles((long) rows * Math.max(1, rank), -1, 1).toArray();
        double[] right =
                random.doubles((long) columns * Math.max(1, rank), -1, 1).toArray();
        double[] out = new double[rows * columns];
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                for (int k = 0; k < rank; k++) {
                    out[i * columns + j] += left[i * rank + k] * right[j * rank + k];
                }
            }
        }
        return out;
    }
}
