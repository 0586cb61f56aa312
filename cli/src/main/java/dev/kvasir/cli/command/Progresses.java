package dev.kvasir.cli.command;

import dev.kvasir.engine.CalibrationRun;
import dev.kvasir.format.WeightProgress;
import dev.kvasir.lab.step.Progress;

/** A calibration's reports as those of any other measurement. */
final class Progresses {
    private Progresses() {}

    /** Reports the making of weights as a phase. */
    static WeightProgress weights(Progress progress, String phase) {
        long start = System.nanoTime();
        return (done, total) -> {
            double seconds = (System.nanoTime() - start) / 1e9;
            progress.update(phase, "MB", done / 1_000_000, total / 1_000_000, done / 1e6 / Math.max(seconds, 1e-9));
        };
    }

    /** Reports each pass as a phase. */
    static CalibrationRun.Listener of(Progress progress) {
        return (pass, passes, done, total, perSecond) -> {
            String phase = passes == 1 ? "calibrate" : "calibrate, pass " + (pass + 1) + " of " + passes;
            progress.update(phase, "tokens", done, total, perSecond);
        };
    }
}
