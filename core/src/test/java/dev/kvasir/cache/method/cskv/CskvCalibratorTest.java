package dev.kvasir.cache.method.cskv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Calibrated;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Steps;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CskvCalibratorTest {
    private static final CacheShape SHAPE = new CacheShape(2, 4, 2, 32, 96);
    private static final int START = Loss.START;
    private static final int TRAINED = Loss.TRAINED;
    private static final int BOUND = Loss.BOUND;
    private static final int ROUNDED_AFTER = Loss.ROUNDED_AFTER;
    private static final int ROUNDED = Loss.ROUNDED;

    private static Calibration calibrate(String spec) {
        return Calibrated.calibration(SHAPE, CacheSpec.parse(spec));
    }

    /** Losses of one layer's keys or values. */
    private static float[] losses(Calibration calibration, int row) {
        float[] all = calibration.data("losses", SHAPE.layers(), 2, 5);
        return java.util.Arrays.copyOfRange(all, row * 5, row * 5 + 5);
    }

    @Test
    void trainingLowersEveryLossAndNoneIsBelowTheBound() {
        Calibration calibration = calibrate("cskv(epochs=100, batch=32)");
        for (int row = 0; row < 2 * SHAPE.layers(); row++) {
            float[] losses = losses(calibration, row);
            assertThat(losses[TRAINED]).isLessThan(losses[START]);
            assertThat(losses[TRAINED]).isBetween(losses[BOUND] * 0.9999f, losses[BOUND] * 1.1f);
            assertThat(losses[ROUNDED_AFTER]).isGreaterThan(losses[TRAINED]);
            assertThat(losses[ROUNDED]).isGreaterThan(losses[TRAINED]);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"svd", "asvd"})
    void withoutEpochsTheStartIsWhatThereIs(String init) {
        Calibration calibration = calibrate("cskv(epochs=0, init=" + init + ")");
        float[] losses = losses(calibration, 0);
        assertThat(losses[TRAINED]).isEqualTo(losses[START]).isGreaterThan(losses[BOUND]);
    }

    @Test
    void theDatasOwnComponentsAreTheBound() {
        Calibration calibration = calibrate("cskv(epochs=0, init=pca)");
        for (int row = 0; row < 2 * SHAPE.layers(); row++) {
            float[] losses = losses(calibration, row);
            assertThat(losses[START]).isBetween(losses[BOUND] * 0.9999f, losses[BOUND] * 1.0001f);
        }
    }

    @Test
    void equalTextGivesEqualFactors() {
        Calibration once = calibrate("cskv");
        Calibration twice = calibrate("cskv");
        assertThat(once.tensors().keySet()).isEqualTo(twice.tensors().keySet());
        for (String name : List.of("layer.1.v.q4", "layer.0.k.exact")) {
            assertThat(once.data(name + ".a", 96, 12)).isEqualTo(twice.data(name + ".a", 96, 12));
            assertThat(once.data(name + ".b", 12, 64)).isEqualTo(twice.data(name + ".b", 12, 64));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cskv(batch=48)",
                "cskv(batch=64, block=128)",
                "cskv(batch=131072)",
                "cskv(epochs=2000)",
                "cskv(lr=2)",
                "cskv(alpha=3)"
            })
    void saysWhatIsWrongWithItsOptions(String spec) {
        assertThatThrownBy(() -> Calibrated.calibrator(SHAPE, CacheSpec.parse(spec)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("allowed");
    }

    @Test
    void sequencesWithoutAWholeBlockTeachNothing() {
        Calibrator calibrator = Calibrated.calibrator(SHAPE, CacheSpec.parse("cskv"));
        assertThat(calibrator.passes()).isEqualTo(10);
        Steps steps = Steps.projected(SHAPE, 1);
        calibrator.begin(0);
        for (int layer = 0; layer < SHAPE.layers(); layer++) {
            calibrator.see(layer, steps.states(layer, 0, 31), steps.queries(layer, 0, 31), Calibrator.Sensitivity.NONE);
        }
        assertThatThrownBy(() -> calibrator.begin(1))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("block=32");
    }
}
