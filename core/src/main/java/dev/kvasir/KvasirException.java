package dev.kvasir;

import java.util.HexFormat;

/**
 * Something the caller can act on: what was wrong, where, what was found and what is allowed, in one line.
 *
 * <p>Every error that a user's input can cause is one of these; the command line prints the message alone. Anything else
 * that escapes is a defect.
 */
public class KvasirException extends RuntimeException {
    /** An error described by one line. */
    public KvasirException(String message) {
        super(oneLine(message));
    }

    /** An error described by one line, with what caused it. */
    public KvasirException(String message, Throwable cause) {
        super(oneLine(message), cause);
    }

    /** The message with its control characters spelled out: it may quote a file, which must not reach a terminal as it is. */
    private static String oneLine(String message) {
        if (message.chars().noneMatch(KvasirException::disturbs)) {
            return message;
        }
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < message.length(); i++) {
            char c = message.charAt(i);
            if (disturbs(c)) {
                line.append("\\u").append(HexFormat.of().toHexDigits(c));
            } else {
                line.append(c);
            }
        }
        return line.toString();
    }

    private static boolean disturbs(int c) {
        int type = Character.getType(c);
        return type == Character.CONTROL || type == Character.LINE_SEPARATOR || type == Character.PARAGRAPH_SEPARATOR;
    }
}
