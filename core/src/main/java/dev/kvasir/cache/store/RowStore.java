package dev.kvasir.cache.store;

import dev.kvasir.cache.PagePool;

/**
 * Tokens that can be read back and replaced one by one: what a tier of tokens is kept in, where a token that leaves makes
 * room for one that comes.
 */
public interface RowStore extends TokenStore {
    /** Writes the token of a slot, as it would be decoded, to {@code headDim} numbers of {@code out}. */
    void row(int slot, float[] out, int offset, Scratch scratch);

    /** Replaces the token of a slot; its page was {@linkplain #reserveAll made ours}. */
    void replace(int slot, float[] row, int offset, Scratch scratch);

    /** Whether tokens can be moved and replaced one by one: not where several share a scale. */
    default boolean isMovable() {
        return true;
    }

    /** Copies the token of a slot over that of another as it is stored, bit by bit; its page was made ours. */
    void move(int from, int to);

    /** Closes the gaps between the tokens that stay, whose slots are the first {@code count} of {@code kept}, ascending; forgets the others, but keeps their pages. */
    default void keep(int[] kept, int count) {
        for (int slot = 0; slot < count; slot++) {
            if (kept[slot] != slot) {
                move(kept[slot], slot);
            }
        }
        shorten(count);
    }

    /** As {@link #truncate}, but keeps the pages for the tokens that follow. */
    void shorten(int size);

    /** Gives back the pages that hold no token. */
    void trim();

    /** Bytes that {@link #reserveAll} would take. */
    long wantedBytesForAll(int tokens);

    /** As {@link #reserve}, and makes every token held replaceable: pages shared with a fork are copied. */
    void reserveAll(int tokens, PagePool.Claim claim);
}
