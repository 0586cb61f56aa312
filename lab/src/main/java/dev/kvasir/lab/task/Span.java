package dev.kvasir.lab.task;

/** The characters {@code [start, end)} of a text; never empty. */
public record Span(int start, int end) {
    public Span {
        if (start < 0 || end <= start) {
            throw new IllegalArgumentException("span [" + start + ", " + end + ") is not a range of characters");
        }
    }

    Span shifted(int by) {
        return new Span(start + by, end + by);
    }
}
