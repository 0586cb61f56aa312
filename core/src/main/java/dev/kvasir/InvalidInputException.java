package dev.kvasir;

/** An option, argument or request that cannot be served; the message names it, the value found and what is allowed. */
public final class InvalidInputException extends KvasirException {
    /** The error, in one line. */
    public InvalidInputException(String message) {
        super(message);
    }
}
