package dev.kvasir.chat.jinja;

/** What one rendering may use: steps of work, and characters in all texts it makes on the way. */
final class Budget {
    private static final int STEPS = 5_000_000;
    private static final long CHARS = 64L << 20;
    /** Characters that take the memory of one element. */
    private static final long ELEMENT = 32;
    /** Characters compared in the time that one is made in. */
    private static final int COMPARED = 16;
    /** Macros within macros. */
    private static final int MACROS = 100;
    /** Statements, expressions and values within each other: far from the end of any thread's stack. */
    private static final int DEPTH = 400;

    private int steps = STEPS;
    private long chars = CHARS;
    private int macros;
    private int depth;

    /** Takes one step of work. */
    void step(int line) {
        if (--steps < 0) {
            throw new TemplateException(line, "more work than the allowed " + STEPS + " steps");
        }
    }

    /** Takes the making of {@code count} characters. */
    void make(long count, int line) {
        chars -= count;
        if (chars < 0) {
            throw new TemplateException(line, "makes more than the allowed " + CHARS + " characters");
        }
    }

    /** Takes the making of {@code count} elements of lists and mappings, which weigh more than characters. */
    void hold(long count, int line) {
        make(ELEMENT * count, line);
    }

    /** Enters a macro. */
    void enter(int line) {
        if (++macros > MACROS) {
            throw new TemplateException(line, "macros call each other more than the allowed " + MACROS + " deep");
        }
    }

    /** Leaves a macro. */
    void leave() {
        macros--;
    }

    /** Takes one step of work within what is under way, until {@link #up}. */
    void down(int line) {
        step(line);
        if (++depth > DEPTH) {
            throw new TemplateException(line, "nests deeper than the allowed " + DEPTH);
        }
    }

    /** Ends what {@link #down} began. */
    void up() {
        depth--;
    }

    /** Takes the search for {@code part} in {@code text}, which at worst compares each character with each. */
    void search(String text, String part, int line) {
        make(text.length() + (long) text.length() * Math.min(part.length(), text.length()) / COMPARED, line);
    }
}
