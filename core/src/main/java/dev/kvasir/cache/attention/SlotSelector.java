package dev.kvasir.cache.attention;

import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.store.Scratch;

/**
 * Chooses the stored slots that a step reads: what a cache that keeps every token, but reads few, adds to its readers. The
 * step's own tokens are always read.
 */
public interface SlotSelector {
    /** A step begins. Called before all {@link #select}, not inside a worker's part. */
    void begin(TokenStates states, Queries queries);

    /**
     * Chooses for a KV head; heads may come at the same time on several threads.
     *
     * @param queries {@code [rows][headDim]}, after RoPE and scaled: the query heads of the first token, then of the next
     */
    void select(int kvHead, float[] queries, int rows, Scratch scratch);

    /** The slots chosen for a head, ascending; the first {@link #count} are meant. */
    int[] slots(int kvHead);

    /** How many were chosen for a head. */
    int count(int kvHead);
}
