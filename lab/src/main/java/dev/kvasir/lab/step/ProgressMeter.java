package dev.kvasir.lab.step;

/** Counts the units of one phase and reports each advance. */
public final class ProgressMeter {
    private final Progress progress;
    private final String phase;
    private final String unit;
    private final long total;
    private final long start = System.nanoTime();
    private long done;

    /** Begins a phase of {@code total} units and reports it at 0. */
    public ProgressMeter(Progress progress, String phase, String unit, long total) {
        this.progress = progress;
        this.phase = phase;
        this.unit = unit;
        this.total = total;
        progress.update(phase, unit, 0, total, 0);
    }

    /** Reports {@code units} more. */
    public void advance(long units) {
        done += units;
        double seconds = (System.nanoTime() - start) / 1e9;
        progress.update(phase, unit, done, total, seconds > 0 ? done / seconds : 0);
    }
}
