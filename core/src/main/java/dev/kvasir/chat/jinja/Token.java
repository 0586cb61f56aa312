package dev.kvasir.chat.jinja;

/**
 * A piece of a template.
 *
 * @param text of a string without its quotes and escapes; otherwise as written
 * @param line from 1
 */
record Token(Kind kind, String text, int line) {
    /** What a token is. */
    enum Kind {
        /** Text outside of tags. */
        DATA,
        /** The start of {@code {{ }}}. */
        PRINT,
        /** The start of {@code {% %}}. */
        BLOCK,
        /** The end of either. */
        END,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        /** The end of the template. */
        EOF
    }

    boolean is(Kind wanted, String spelled) {
        return kind == wanted && text.equals(spelled);
    }

    /** What a message shows of it. */
    String shown() {
        return switch (kind) {
            case END -> "the end of the tag";
            case EOF -> "the end of the template";
            case DATA -> "text";
            case PRINT, BLOCK, NAME, STRING, INTEGER, FLOAT, OPERATOR ->
                "\"" + (text.length() > 40 ? text.substring(0, 40) + "..." : text) + "\"";
        };
    }
}
