package dev.kvasir.cache.importance;

/** The last rows of each step: the observation window of SnapKV (arXiv 2404.14469). */
public final class LastRows implements RowFilter {
    private final int window;
    private int from;

    /** The last {@code window} tokens of a step, or all if it has fewer. */
    public LastRows(int window) {
        this.window = window;
    }

    @Override
    public void begin(int first, int count) {
        from = count - window;
    }

    @Override
    public boolean wants(int token) {
        return token >= from;
    }
}
