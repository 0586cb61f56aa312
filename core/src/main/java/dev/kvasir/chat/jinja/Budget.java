package dev.kvasir.chat.jinja;

/** What one rendering may use: steps of work, and characters in all texts it makes on the way. */
final class Budget {
    private static final int STEPS = 5_000_000;
    private static final long CHARS = 64L << 20;
    private static final int DEPTH = 100;

    private int steps = STEPS;
    private long chars = CHARS;
    private int depth;

    /** Takes one step of work. */
    void step(int line) {
        if (--steps < 0) {
            throw new TemplateException(line, "more work than the allowed " + STEPS + " steps");
        }
    }

    /** Takes the making of {@code count} characters or elements. */
    void make(long count, int line) {
        chars -= count;
        if (chars < 0) {
            throw new TemplateException(line, "makes more than the allowed " + CHARS + " characters");
        }
    }

    /** Enters a macro. */
    void enter(int line) {
        if (++depth > DEPTH) {
            throw new TemplateException(line, "macros call each other more than the allowed " + DEPTH + " deep");
        }
    }

    /** Leaves a macro. */
    void leave() {
        depth--;
    }
}
