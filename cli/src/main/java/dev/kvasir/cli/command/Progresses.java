package dev.kvasir.cli.command;

import dev.kvasir.engine.CalibrationRun;
import dev.kvasir.lab.step.Progress;

/** A calibration's reports as those of any other measurement. */
final class Progresses {
    private Progresses() {}

    /** Reports each pass as a phase. */
    static CalibrationRun.Listener of(Progress progress) {
        return (pass, passes, done, total, perSecond) -> {
            String phase = passes == 1 ? "calibrate" : "calibrate, pass " + (pass + 1) + " of " + passes;
            progress.update(phase, "tokens", done, total, perSecond);
        };
    }
}
