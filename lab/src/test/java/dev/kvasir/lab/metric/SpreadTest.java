package dev.kvasir.lab.metric;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SpreadTest {
    @Test
    void medianIsTheMiddleValue() {
        assertThat(Spread.of(9, 1, 4)).isEqualTo(new Spread(4, 1, 9, 3));
    }

    @Test
    void medianOfAnEvenNumberIsTheMeanOfTheTwoInTheMiddle() {
        assertThat(Spread.of(8, 2, 4, 1).median()).isEqualTo(3);
    }

    @Test
    void quantilesLieBetweenNeighbours() {
        double[] values = {0, 10, 20, 30, 40};
        assertThat(Spread.quantile(values, 0.25)).isEqualTo(10);
        assertThat(Spread.quantile(values, 0.99)).isEqualTo(39.6);
        assertThat(Spread.quantile(values, 1)).isEqualTo(40);
    }
}
