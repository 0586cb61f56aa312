package dev.kvasir.cache.selection;

import dev.kvasir.cache.store.TokenNumbers;

/**
 * The candidates of one head in a step: the stored tokens, then the step's own, in one row. Candidate {@code i} is slot {@code
 * i} if it is below {@link #stored}, else token {@code i - stored} of the step.
 */
public final class HeadTokens {
    private final TokenNumbers positions;
    private final TokenNumbers history;
    private int first;
    private int count;
    private int stored;

    HeadTokens(TokenNumbers positions, TokenNumbers history) {
        this.positions = positions;
        this.history = history;
    }

    /** A step of {@code tokens} tokens comes, the first of which has position {@code position}. */
    void open(int position, int tokens) {
        first = position;
        count = tokens;
        stored = positions.size();
    }

    /** Tokens that were stored when the step came. */
    public int stored() {
        return stored;
    }

    /** Position of the step's first token. */
    int first() {
        return first;
    }

    /** Tokens of the step. */
    public int own() {
        return count;
    }

    /** All candidates. */
    public int all() {
        return stored + count;
    }

    /** Tokens seen once the step is over: the position after its last. */
    public int seen() {
        return first + count;
    }

    /** The position of a candidate. */
    public int position(int candidate) {
        return candidate < stored ? positions.number(candidate) : first + candidate - stored;
    }

    TokenNumbers positions() {
        return positions;
    }

    /** The number that is kept beside each stored token, where the retention asks for one. */
    public TokenNumbers history() {
        return history;
    }
}
