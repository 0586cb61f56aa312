package dev.kvasir.cli.command;

import dev.kvasir.cli.Terminal;
import java.util.Locale;

/** Says on standard error, in lines and not too often, how far a training is. */
final class ProgressLines {
    private static final long NANOS_BETWEEN_LINES = 2_000_000_000L;

    private final Terminal terminal;
    private long lastLine = System.nanoTime();

    ProgressLines(Terminal terminal) {
        this.terminal = terminal;
    }

    /** {@code done} of {@code total} steps of {@code message} are finished. */
    void report(long done, long total, String message) {
        long now = System.nanoTime();
        if (now - lastLine >= NANOS_BETWEEN_LINES) {
            lastLine = now;
            terminal.err().printf(Locale.ROOT, "%s: %,d of %,d%n", message, done, total);
            terminal.err().flush();
        }
    }
}
