package dev.kvasir.lab.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class ProportionTest {
    /** Published values of the 95 % score interval: Newcombe 1998, table I, 81 of 263, 15 of 148, 0 of 20, 1 of 29. */
    @Test
    void matchesNewcombesTable() {
        holds(81, 263, 0.2553, 0.3662);
        holds(15, 148, 0.0624, 0.1605);
        holds(0, 20, 0.0000, 0.1611);
        holds(1, 29, 0.0061, 0.1718);
    }

    @Test
    void isSymmetric() {
        for (int n = 1; n < 40; n++) {
            for (int k = 0; k <= n; k++) {
                Proportion own = Proportion.of(k, n);
                Proportion mirrored = Proportion.of(n - k, n);
                assertThat(own.low()).isCloseTo(1 - mirrored.high(), within(1e-12));
                assertThat(own.share()).isBetween(own.low(), own.high());
                assertThat(own.low()).isNotNegative();
            }
        }
    }

    @Test
    void refusesImpossibleCounts() {
        assertThatThrownBy(() -> Proportion.of(0, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Proportion.of(3, 2)).isInstanceOf(IllegalArgumentException.class);
    }

    private static void holds(long k, long n, double low, double high) {
        Proportion proportion = Proportion.of(k, n);
        assertThat(proportion.low()).isCloseTo(low, within(5.1e-5));
        assertThat(proportion.high()).isCloseTo(high, within(5.1e-5));
        assertThat(proportion.share()).isCloseTo((double) k / n, within(1e-12));
    }
}
