package dev.kvasir.cache.importance;

/** Which tokens of a step are asked for the weights they give: the rows of attention's matrix that are summed. */
public interface RowFilter {
    /** All of them: the accumulated scores of H2O (arXiv 2306.14048). */
    RowFilter ALL = new RowFilter() {
        @Override
        public void begin(int first, int count) {}

        @Override
        public boolean wants(int token) {
            return true;
        }
    };

    /** A step of {@code count} tokens begins, the first of which has position {@code first}. */
    void begin(int first, int count);

    /** Whether a token of the step, counted from 0, is asked; safe to call from several threads. */
    boolean wants(int token);
}
