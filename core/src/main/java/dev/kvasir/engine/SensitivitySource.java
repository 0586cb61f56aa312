package dev.kvasir.engine;

import dev.kvasir.cache.Calibrator;
import java.util.List;

/**
 * Where the squared gradients of a calibration come from. Core has no backward pass of its own; the trainer has one.
 */
@FunctionalInterface
public interface SensitivitySource {
    /** For calibrators that want none; a run refuses those that do. */
    SensitivitySource NONE = _ -> {
        throw new IllegalStateException("no source of sensitivities");
    };

    /**
     * The sensitivities of one sequence that starts at position 0, one entry per layer.
     *
     * @param tokens ids of the whole sequence, at least 2
     */
    List<Calibrator.Sensitivity> of(int[] tokens);
}
