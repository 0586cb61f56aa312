package dev.kvasir.cache.method.cskv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.Calibration;
import dev.kvasir.format.ModelFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The factors that come with the shipped model, by the losses that were measured when they were made. */
class CskvShippedModelTest {
    private static final Path MODEL = Path.of("..", "models", "kvasir-tiny");

    @Test
    void wereTrainedToTheBoundAndThroughTheQuantizer() {
        assumeTrue(Files.exists(MODEL), "models/kvasir-tiny is not here");
        CacheModel model = ModelFolder.open(MODEL).cacheModel();
        Calibration calibration = model.calibrations().find("cskv", "");
        int projections = 2 * model.shape().layers();
        float[] losses = calibration.data("losses", model.shape().layers(), 2, Loss.COUNT);
        double after = 0;
        double through = 0;
        for (int i = 0; i < projections * Loss.COUNT; i += Loss.COUNT) {
            float bound = losses[i + Loss.BOUND];
            assertThat(losses[i + Loss.START]).isGreaterThan(1.4f * bound);
            assertThat(losses[i + Loss.TRAINED]).isBetween(0.9999f * bound, 1.01f * bound);
            after += losses[i + Loss.ROUNDED_AFTER];
            through += losses[i + Loss.ROUNDED];
        }
        assertThat(through).isLessThan(after);
    }
}
