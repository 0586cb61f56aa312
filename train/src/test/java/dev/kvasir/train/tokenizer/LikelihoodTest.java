package dev.kvasir.train.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LikelihoodTest {
    @ParameterizedTest
    @CsvSource({"100, -99.0", "300, 38.6", "1000, 1405.6"})
    void mergeGainsOnlyAboveAboutOneNatOfMutualInformation(double uses, double gain) {
        assertThat(Likelihood.mergeGain(1e4, 1e4, 0, uses, 1e6)).isCloseTo(gain, within(0.05));
    }

    @Test
    void isTheSumOfLogProbabilities() {
        assertThat(Likelihood.of(new double[] {3, 0, 1})).isCloseTo(3 * Math.log(0.75) + Math.log(0.25), within(1e-12));
    }
}
