package dev.kvasir.cache.method.scissorhands;

/**
 * The numbers of one layer.
 *
 * @param budget slots of a head (B); when they are full, tokens go
 * @param drop tokens that go at once (m)
 * @param window rows of attention that count (w)
 * @param recent newest tokens that never go (r)
 * @param block most tokens of a prompt that attend at once (c)
 * @param dense whether a prompt attends as a whole and tokens go at its end, in place of block by block
 * @param any whether a token that one query head needs is safe, in place of counting each query head
 * @param ofSeen whether the average is that over all tokens seen, in place of those attended to
 * @param ring whether each event of the window is kept, in place of their count
 */
record ScissorPlan(
        int budget,
        int drop,
        int window,
        int recent,
        int block,
        boolean dense,
        boolean any,
        boolean ofSeen,
        boolean ring) {
    /** Slots of a head after {@code stored} slots and {@code count} tokens more: full slots are emptied at once. */
    int sizeAfter(int stored, int count) {
        return stored + count >= budget ? budget - drop : stored + count;
    }

    /**
     * Slots of a head once {@code seen} tokens were seen block by block; whatever steps they came in, as blocks end where
     * slots are full.
     */
    int sizeOf(int seen) {
        return seen < budget ? seen : budget - drop + (seen - budget) % drop;
    }

    /** Tokens of a prompt from {@code position} on, {@code count} at most, that attend at once. */
    int blockAt(int position, int count) {
        return dense ? count : Math.min(count, Math.min(block - position % block, budget - sizeOf(position)));
    }

    /** Whether the attention of a row that sees {@code visible} tokens counts the next time tokens go. */
    boolean counts(int visible) {
        return visible > budget - window;
    }

    /** Numbers of a token's history, of {@code group} query heads. */
    int numbers(int group) {
        return ring ? rings(group) * words() : 1;
    }

    /** Rings of a token: one for each query head, unless only whether all agree counts. */
    int rings(int group) {
        return any ? 1 : group;
    }

    /** Numbers of a ring. */
    int words() {
        return Math.ceilDiv(window, Integer.SIZE);
    }
}
