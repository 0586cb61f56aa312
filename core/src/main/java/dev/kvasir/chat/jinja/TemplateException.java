package dev.kvasir.chat.jinja;

import dev.kvasir.KvasirException;

/** A template that cannot be read or rendered; the message names its line. */
public final class TemplateException extends KvasirException {
    private final int line;

    TemplateException(int line, String problem) {
        super("line " + line + ": " + problem.lines().findFirst().orElse(""));
        this.line = line;
    }

    /** The template's line, from 1. */
    public int line() {
        return line;
    }
}
