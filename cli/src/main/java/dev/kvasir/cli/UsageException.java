package dev.kvasir.cli;

/** An option or argument outside what is allowed, found after parsing; ends the run with exit code 2. */
public final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** The error in one line: the option, the value and what is allowed. */
    public UsageException(String message) {
        super(message);
    }
}
