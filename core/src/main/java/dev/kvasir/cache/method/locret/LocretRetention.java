package dev.kvasir.cache.method.locret;

import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.selection.HeadTokens;
import dev.kvasir.cache.selection.Retention;
import dev.kvasir.cache.store.Scratch;
import java.util.Arrays;
import java.util.List;

/**
 * Keeps the tokens that a layer's retaining head scores highest, each KV head by its own scores. A score is made when its token
 * comes, stays beside it, and is never changed: stabilizers are kept by their place, not by another score.
 */
final class LocretRetention implements Retention {
    private final List<HeadTokens> heads;
    private final RetainingHead head;
    private final LocretPlan plan;
    private final float[][] hidden;
    private final long[][] ranks;

    // The block at hand: tokens left in its step before it, and tokens seen when the step ends.
    private int left;
    private int end;
    private int count;
    private float[] queries = {};
    private float[] keys = {};
    private float[] values = {};
    /** {@code [count][kvHeads]}. */
    private float[] scores = {};

    LocretRetention(List<HeadTokens> heads, RetainingHead head, LocretPlan plan) {
        this.heads = heads;
        this.head = head;
        this.plan = plan;
        this.hidden = new float[heads.size()][0];
        this.ranks = new long[heads.size()][0];
    }

    @Override
    public boolean hasHistory() {
        return true;
    }

    @Override
    public boolean changesHistory() {
        return false;
    }

    @Override
    public boolean letsStoredGo() {
        return true;
    }

    /** A step of more than one token is a prompt, or a turn, whose last block is that of its local tokens. */
    @Override
    public int block(int position, int tokens) {
        left = tokens;
        end = position + tokens;
        return plan.block(left, end);
    }

    /** Of the block that was asked for last. */
    @Override
    public int sizeAfter(int stored, int seen, int tokens) {
        int all = stored + tokens;
        return plan.evicts(left) ? Math.min(all, plan.budget(end)) : all;
    }

    @Override
    public void open(TokenStates states, Queries stepQueries) {
        count = states.count();
        queries = stepQueries.queriesBeforeRope();
        keys = states.keysBeforeRope();
        values = states.values();
        scores = Scratch.grown(scores, count * heads.size());
    }

    /** Scores this head's share of the tokens, for all heads: what is chosen is chosen when all have. */
    @Override
    public void rank(int kvHead) {
        int from = (int) ((long) count * kvHead / heads.size());
        int to = (int) ((long) count * (kvHead + 1) / heads.size());
        if (from < to) {
            hidden[kvHead] = Scratch.grown(hidden[kvHead], head.roomFor(to - from));
            head.score(queries, keys, values, from, to - from, hidden[kvHead], scores, from * heads.size());
        }
    }

    @Override
    public int choose(int kvHead, int[] staying) {
        HeadTokens tokens = heads.get(kvHead);
        int all = tokens.all();
        int size = sizeAfter(tokens.stored(), tokens.seen() - tokens.own(), tokens.own());
        int newest = plan.isLast(left, count) ? 0 : plan.stabilizers(size);
        // All have a rank above nothing at all.
        long last = size == all ? Long.MIN_VALUE : rankOfLast(kvHead, all - newest, all - size);
        int kept = 0;
        for (int i = 0; i < all; i++) {
            if (size == all || i >= all - newest || rank(kvHead, i) > last) {
                staying[kept++] = i;
            }
        }
        return kept;
    }

    /** The highest rank among the {@code going} lowest of the first {@code candidates}. */
    private long rankOfLast(int kvHead, int candidates, int going) {
        if (ranks[kvHead].length < candidates) {
            ranks[kvHead] = new long[candidates + candidates / 4];
        }
        long[] sorted = ranks[kvHead];
        for (int i = 0; i < candidates; i++) {
            sorted[i] = rank(kvHead, i);
        }
        Arrays.sort(sorted, 0, candidates);
        return sorted[going - 1];
    }

    /** Orders candidates by score, then by age: of equals the newer ranks higher. */
    private long rank(int kvHead, int candidate) {
        HeadTokens tokens = heads.get(kvHead);
        float score = candidate < tokens.stored()
                ? tokens.history().decimal(candidate)
                : history(kvHead, candidate - tokens.stored());
        int bits = Float.floatToRawIntBits(score);
        // Bits of negative floats are in the reverse of their order.
        int ordered = bits ^ (bits >> 31 & Integer.MAX_VALUE);
        return (long) ordered << 32 | candidate;
    }

    @Override
    public float history(int kvHead, int token) {
        return scores[token * heads.size() + kvHead];
    }
}
