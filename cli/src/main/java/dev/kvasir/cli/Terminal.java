package dev.kvasir.cli;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;

/**
 * The streams of one run and which of them a person is looking at. Text is UTF-8 whatever the locale says.
 *
 * @param out results; must be flushed
 * @param err progress, remarks and errors; flushed by every line
 * @param in standard input
 * @param inInteractive whether a person types the input
 * @param outInteractive whether the results go to a terminal
 * @param errInteractive whether progress goes to a terminal
 * @param columns width of the terminal in characters
 */
public record Terminal(
        PrintStream out,
        PrintStream err,
        InputStream in,
        boolean inInteractive,
        boolean outInteractive,
        boolean errInteractive,
        int columns) {
    private static final int DEFAULT_COLUMNS = 100;
    private static final int LEAST_COLUMNS = 60;
    private static final int MOST_COLUMNS = 140;

    /**
     * The streams of this process. The launcher says in {@code kvasir.terminals} which of the descriptors 0, 1 and 2
     * are terminals, in {@code kvasir.columns} how wide they are, and in {@code kvasir.stderr} which descriptor is the
     * true standard error: it parks it while the JVM starts, so that the remark about the incubating vector module,
     * which no option turns off, is not seen.
     */
    public static Terminal ofProcess() {
        String terminals = System.getProperty("kvasir.terminals", "");
        PrintStream out = printer(new BufferedOutputStream(new OutputOrEnd(new FileOutputStream(FileDescriptor.out))));
        PrintStream err = System.getProperty("kvasir.stderr") == null ? System.err : printer(parkedError());
        return new Terminal(
                out,
                err,
                new FileInputStream(FileDescriptor.in),
                terminals.contains("0"),
                terminals.contains("1"),
                terminals.contains("2"),
                columns(Integer.getInteger("kvasir.columns", 0)));
    }

    /** Whether results may carry colours: a terminal, and the user has not set {@code NO_COLOR}. */
    public boolean colours() {
        return outInteractive && System.getenv("NO_COLOR") == null && !"dumb".equals(System.getenv("TERM"));
    }

    private static int columns(int told) {
        return told <= 0 ? DEFAULT_COLUMNS : Math.clamp(told, LEAST_COLUMNS, MOST_COLUMNS);
    }

    private static PrintStream printer(OutputStream out) {
        return new PrintStream(out, false, StandardCharsets.UTF_8);
    }

    private static OutputStream parkedError() {
        try {
            // Opening /dev/fd/3 instead would fail on sockets and cut files short.
            Constructor<FileDescriptor> descriptor = FileDescriptor.class.getDeclaredConstructor(int.class);
            descriptor.setAccessible(true);
            return new FileOutputStream(descriptor.newInstance(Integer.getInteger("kvasir.stderr", 2)));
        } catch (ReflectiveOperationException | RuntimeException e) {
            return new FileOutputStream(FileDescriptor.err);
        }
    }
}
