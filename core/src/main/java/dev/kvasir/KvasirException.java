package dev.kvasir;

/**
 * Something the caller can act on: what was wrong, where, what was found and what is allowed, in one line.
 *
 * <p>Every error that a user's input can cause is one of these; the command line prints the message alone. Anything else
 * that escapes is a defect.
 */
public class KvasirException extends RuntimeException {
    /** An error described by one line. */
    public KvasirException(String message) {
        super(message);
    }

    /** An error described by one line, with what caused it. */
    public KvasirException(String message, Throwable cause) {
        super(message, cause);
    }
}
