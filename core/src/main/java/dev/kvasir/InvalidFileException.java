package dev.kvasir;

import java.nio.file.Path;

/** A file that is missing, truncated, malformed or of another shape than expected; the message names file and field. */
public final class InvalidFileException extends KvasirException {
    /** The error in {@code file}: {@code problem} names the field, the value found and the value expected. */
    public InvalidFileException(Path file, String problem) {
        super(file + ": " + problem);
    }

    /** As {@link #InvalidFileException(Path, String)}, with what caused it. */
    public InvalidFileException(Path file, String problem, Throwable cause) {
        super(file + ": " + problem, cause);
    }
}
