package dev.kvasir.cache.importance;

import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.store.Scratch;

/**
 * Adds up, for each KV head, the attention weights that the rows asked give to each token (column of the matrix), summed
 * over the head's query heads. The sums of a step's own tokens are held here until the next step; those of tokens already
 * stored go to whoever keeps their scores.
 *
 * <p>Each column of each head is summed in the order of the rows, so the sums do not depend on the threads.
 */
public final class ColumnSums implements WeightObserver {
    /** Sums kept between steps: a long prompt's are not. */
    private static final int KEPT = 1 << 12;

    private final int kvHeads;
    private final RowFilter rows;
    private final Stored scores;
    private float[] own = {};
    private int first;
    private int stored;
    private int fromSlot;
    private int count;

    /** Who keeps the scores of stored tokens. */
    @FunctionalInterface
    public interface Stored {
        /** Adds the weights of {@code count} stored slots to their scores; heads may come at the same time. */
        void add(int kvHead, int slot, float[] weights, int offset, int count);
    }

    /** Sums over the rows that pass the filter. */
    public ColumnSums(int kvHeads, RowFilter rows, Stored scores) {
        this.kvHeads = kvHeads;
        this.rows = rows;
        this.scores = scores;
    }

    /**
     * Says what the coming step is.
     *
     * @param position of its first token
     * @param slot first stored slot whose weights are wanted
     */
    public void expect(int position, int slot) {
        first = position;
        fromSlot = slot;
    }

    @Override
    public void begin(int storedSlots, int tokens) {
        stored = storedSlots;
        count = tokens;
        int size = kvHeads * tokens;
        if (own.length > KEPT && size <= KEPT) {
            own = new float[KEPT];
        }
        own = Scratch.grown(own, size);
        java.util.Arrays.fill(own, 0, size, 0f);
        rows.begin(first, tokens);
    }

    @Override
    public boolean wants(int token) {
        return rows.wants(token);
    }

    @Override
    public int fromSlot() {
        return fromSlot;
    }

    @Override
    public int toSlot() {
        return stored;
    }

    @Override
    public void observe(int kvHead, int token, float[] weights, int offset, int slot, int slots) {
        if (slot < stored) {
            scores.add(kvHead, slot, weights, offset, slots);
            return;
        }
        int at = kvHead * count + slot - stored;
        for (int i = 0; i < slots; i++) {
            own[at + i] += weights[offset + i];
        }
    }

    /** The sum of a token of the last step, counted from 0. */
    public float own(int kvHead, int token) {
        return own[kvHead * count + token];
    }
}
