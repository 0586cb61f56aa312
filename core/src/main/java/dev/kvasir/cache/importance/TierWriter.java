package dev.kvasir.cache.importance;

import dev.kvasir.cache.store.Scratch;

/** Brings tokens to a tier by up to 32, which stores pack at once where a whole panel comes. */
final class TierWriter {
    private static final int PANEL = 32;

    private final TokenTier tier;
    private final int headDim;
    private float[] rows = {};
    private int waiting;

    TierWriter(TokenTier tier, int headDim) {
        this.tier = tier;
        this.headDim = headDim;
    }

    /** Where the key of the next token goes, {@code headDim} numbers of {@link #rows}. */
    int key(Scratch scratch) {
        rows = scratch.lanes(2 * PANEL * headDim);
        return waiting * headDim;
    }

    /** Where the value of the next token goes. */
    int value() {
        return (PANEL + waiting) * headDim;
    }

    float[] rows() {
        return rows;
    }

    /** The next token's rows are in place. */
    void add(int position, Scratch scratch) {
        tier.positions().append(position);
        waiting++;
        if ((tier.keys().size() + waiting) % PANEL == 0) {
            flush(scratch);
        }
    }

    /** Stores what is waiting. */
    void flush(Scratch scratch) {
        if (waiting > 0) {
            tier.keys().append(rows, 0, headDim, waiting, scratch);
            tier.values().append(rows, PANEL * headDim, headDim, waiting, scratch);
            waiting = 0;
        }
    }
}
