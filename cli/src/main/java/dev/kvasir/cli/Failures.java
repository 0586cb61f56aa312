package dev.kvasir.cli;

import dev.kvasir.KvasirException;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/** Turns what went wrong into one line and an exit code. */
public final class Failures {
    /** All went well. */
    static final int OK = 0;
    /** A file, an input or a budget did not serve. */
    static final int FAILED = 1;
    /** The command line was wrong. */
    static final int USAGE = 2;
    /** The reader of standard output left; 128 plus the number of SIGPIPE, as of any other program. */
    static final int OUTPUT_CLOSED = 141;

    private Failures() {}

    /** Says what {@code failure} is in one line on {@code err}, after its stack trace if {@code verbose}. */
    static int report(Throwable failure, PrintStream err, boolean verbose) {
        if (failure instanceof OutputOrEnd.ClosedException closed && closed.readerLeft()) {
            return OUTPUT_CLOSED;
        }
        if (verbose) {
            failure.printStackTrace(err);
        }
        String hint = verbose || !isUnexpected(failure) ? "" : " (--verbose shows where)";
        err.println("kvasir: " + line(failure) + hint);
        err.flush();
        return failure instanceof UsageException ? USAGE : FAILED;
    }

    /** The text in one line that cannot steer a terminal: names from files may hold anything. */
    static String oneLine(String text) {
        return text.strip().replaceAll("\\s*\\R\\s*", " ").replaceAll("\\p{Cntrl}", "?");
    }

    /** What {@code failure} is, in one line. */
    public static String line(Throwable failure) {
        return oneLine(describe(failure));
    }

    /** Whether this is a defect of ours, and no answer to what the user gave. */
    private static boolean isUnexpected(Throwable failure) {
        return !(failure instanceof UsageException
                || failure instanceof KvasirException
                || failure instanceof OutOfMemoryError
                || failure instanceof OutputOrEnd.ClosedException
                || failure instanceof IOException
                || failure instanceof UncheckedIOException);
    }

    private static String describe(Throwable failure) {
        return switch (failure) {
            case UsageException e -> message(e);
            case KvasirException e -> message(e);
            case OutputOrEnd.ClosedException e -> message(e);
            case OutOfMemoryError e ->
                "out of memory: the Java heap of " + Runtime.getRuntime().maxMemory() / (1 << 20) + " MiB is full ("
                        + message(e) + "); give it more with KVASIR_JAVA_OPTS=-Xmx4g";
            case UncheckedIOException e when e.getCause() != null -> describe(e.getCause());
            case FileSystemException e -> e.getFile() + ": " + reason(e);
            case CharacterCodingException e -> "the text is not valid UTF-8 (" + message(e) + ")";
            case IOException e -> message(e);
            default -> "unexpected " + failure.getClass().getSimpleName() + ": " + message(failure);
        };
    }

    private static String reason(FileSystemException e) {
        return switch (e) {
            case NoSuchFileException missing -> "no such file or folder";
            case AccessDeniedException denied -> "permission denied";
            case NotDirectoryException notFolder -> "not a folder";
            case FileAlreadyExistsException exists when exists.getReason() == null -> "already exists";
            case DirectoryNotEmptyException full -> "folder is not empty";
            default -> e.getReason() == null ? "cannot be used" : e.getReason();
        };
    }

    private static String message(Throwable failure) {
        String message = failure.getMessage();
        return message == null ? failure.getClass().getSimpleName() : message;
    }
}
