package dev.kvasir.cli;

import dev.kvasir.lab.step.Progress;
import java.io.PrintStream;
import java.util.Locale;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/**
 * Shows on standard error how far a measurement is: a bar on a terminal, elsewhere a line when a phase begins and now and
 * then.
 */
public final class ProgressDisplay implements Progress, AutoCloseable {
    private static final long NANOS_BETWEEN_LINES = 15_000_000_000L;
    private static final int BAR_UPDATE_MILLIS = 200;

    private final Terminal terminal;
    private String phase = "";
    private long phaseStart;
    private long lastLine;
    private @Nullable ProgressBar bar;

    /** A display on the terminal's standard error. */
    public ProgressDisplay(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void update(String name, String unit, long done, long total, double perSecond) {
        boolean begins = !name.equals(phase) || done == 0;
        if (terminal.errInteractive()) {
            onTerminal(begins, name, unit, done, total);
        } else {
            asLines(begins, name, unit, done, total, perSecond);
        }
        phase = name;
    }

    private void onTerminal(boolean begins, String name, String unit, long done, long total) {
        ProgressBar current = bar;
        if (begins || current == null) {
            finish();
            current = new ProgressBarBuilder()
                    .setTaskName(name)
                    .setUnit(" " + unit, 1)
                    .setInitialMax(total)
                    .setStyle(ProgressBarStyle.ASCII)
                    .showSpeed()
                    .setUpdateIntervalMillis(BAR_UPDATE_MILLIS)
                    .setConsumer(new ConsoleProgressBarConsumer(terminal.err(), terminal.columns() - 1))
                    .clearDisplayOnFinish()
                    .build();
            bar = current;
        }
        current.stepTo(done);
    }

    private void asLines(boolean begins, String name, String unit, long done, long total, double perSecond) {
        long now = System.nanoTime();
        PrintStream err = terminal.err();
        if (begins) {
            phaseStart = now;
            err.printf(Locale.ROOT, "%s: %,d %s%n", name, total, unit);
        } else if (done == total) {
            err.printf(Locale.ROOT, "%s: done in %.1f s%n", name, (now - phaseStart) / 1e9);
        } else if (now - lastLine > NANOS_BETWEEN_LINES) {
            err.printf(Locale.ROOT, "%s: %,d of %,d %s, %.1f a second%n", name, done, total, unit, perSecond);
        } else {
            return;
        }
        lastLine = now;
        err.flush();
    }

    /** Takes the bar away, so that results can be printed. */
    public void finish() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }

    @Override
    public void close() {
        finish();
    }
}
