package dev.kvasir.cache.selection;

import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.store.Scratch;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The first tokens, the newest ones, and of the others those of the highest importance, as many as the budget allows. Of
 * equals the newer stays.
 */
public final class TopTokens implements Retention {
    private final List<HeadTokens> heads;
    private final Optional<Importance> importance;
    private final Plan plan;
    private final float[][] scores;
    private final long[][] ranks;
    private boolean nothingGoes;
    private int newest;

    /**
     * What stays.
     *
     * @param budget tokens of a head; never below sinks and recent
     * @param sinks first tokens of the sequence that always stay
     * @param recent newest tokens that always stay, at least
     * @param recentShare share of the budget that the newest tokens have, if that is more
     * @param when the steps after which tokens go
     */
    public record Plan(Budget budget, int sinks, int recent, double recentShare, When when) {
        /** Newest tokens that stay, of {@code seen}. */
        int recent(int seen) {
            return Math.max(recent, (int) (recentShare * (budget.of(seen) - sinks)));
        }

        /** As {@link Retention#sizeAfter}. */
        public int sizeAfter(int stored, int seen, int count) {
            int all = stored + count;
            if (when != When.ALWAYS && count == 1) {
                return all;
            }
            int least = when == When.PROMPTS ? stored + Math.min(count, recent(seen + count)) : 0;
            return Math.min(all, Math.max(least, budget.of(seen + count)));
        }
    }

    /** The steps after which tokens go. */
    public enum When {
        /** Every step. */
        ALWAYS,
        /** Steps of several tokens, which are prompts or parts of one; tokens that are stored, and decoded ones, stay. */
        PROMPTS,
        /** The same, but also tokens stored by earlier steps may go. */
        PROMPTS_AGAIN
    }

    /** Decides about the tokens of these heads; without an importance the newest stay. */
    public TopTokens(List<HeadTokens> heads, Optional<Importance> importance, Plan plan) {
        this.heads = heads;
        this.importance = importance;
        this.plan = plan;
        this.scores = new float[heads.size()][0];
        this.ranks = new long[heads.size()][0];
    }

    @Override
    public boolean hasHistory() {
        return importance.isPresent() && importance.get().isHistory();
    }

    @Override
    public boolean letsStoredGo() {
        return plan.when != When.PROMPTS;
    }

    @Override
    public boolean keepsOrder() {
        return plan.when != When.ALWAYS;
    }

    @Override
    public int sizeAfter(int stored, int seen, int count) {
        return plan.sizeAfter(stored, seen, count);
    }

    @Override
    public void open(TokenStates states, Queries queries) {
        nothingGoes = true;
        newest = plan.recent(states.firstPosition() + states.count());
        for (HeadTokens head : heads) {
            nothingGoes &= sizeAfter(head.stored(), head.seen() - head.own(), head.own()) == head.all();
        }
        importance.ifPresent(scored -> scored.open(states));
    }

    @Override
    public Optional<WeightObserver> observer() {
        return importance.isPresent() && (!nothingGoes || hasHistory())
                ? importance.get().observer()
                : Optional.empty();
    }

    /** The scores of a head's candidates in the step at hand, once it was {@linkplain #rank ranked}: {@code [candidates]}. */
    public float[] scores(int kvHead) {
        return scores[kvHead];
    }

    @Override
    public void rank(int kvHead) {
        if (importance.isPresent() && (!nothingGoes || hasHistory())) {
            scores[kvHead] = Scratch.grown(scores[kvHead], heads.get(kvHead).all());
            importance.get().of(kvHead, scores[kvHead]);
        }
    }

    /** Whether a candidate of a head stays whatever its importance is. */
    public boolean isProtected(int kvHead, int candidate) {
        HeadTokens head = heads.get(kvHead);
        int position = head.position(candidate);
        return position < plan.sinks
                || position >= head.seen() - newest
                || (plan.when == When.PROMPTS && candidate < head.stored());
    }

    @Override
    public int choose(int kvHead, int[] staying) {
        HeadTokens head = heads.get(kvHead);
        int all = head.all();
        int size = sizeAfter(head.stored(), head.seen() - head.own(), head.own());
        int going = all - size;
        if (going == 1) {
            return allBut(lowest(kvHead, all), all, staying);
        }
        long last = going == 0 ? Long.MIN_VALUE : rankOfLast(kvHead, all, going);
        int count = 0;
        for (int i = 0; i < all; i++) {
            if (going == 0 || isProtected(kvHead, i) || rank(kvHead, i) > last) {
                staying[count++] = i;
            }
        }
        return count;
    }

    private static int allBut(int out, int all, int[] staying) {
        for (int i = 0; i < all - 1; i++) {
            staying[i] = i < out ? i : i + 1;
        }
        return all - 1;
    }

    /** Orders candidates by importance, then by age: no two have the same. */
    private long rank(int kvHead, int candidate) {
        int position = heads.get(kvHead).position(candidate);
        float score = importance.isPresent() ? scores[kvHead][candidate] : 0;
        // Bits of floats that are not negative are in their order.
        return (long) Float.floatToRawIntBits(Math.max(0f, score)) << 32 | position;
    }

    private int lowest(int kvHead, int all) {
        int lowest = -1;
        long least = Long.MAX_VALUE;
        for (int i = 0; i < all; i++) {
            if (!isProtected(kvHead, i) && rank(kvHead, i) < least) {
                least = rank(kvHead, i);
                lowest = i;
            }
        }
        return lowest;
    }

    /** The highest rank among those that go. */
    private long rankOfLast(int kvHead, int all, int going) {
        if (ranks[kvHead].length < all) {
            ranks[kvHead] = new long[all + all / 4];
        }
        int count = 0;
        for (int i = 0; i < all; i++) {
            if (!isProtected(kvHead, i)) {
                ranks[kvHead][count++] = rank(kvHead, i);
            }
        }
        Arrays.sort(ranks[kvHead], 0, count);
        return ranks[kvHead][going - 1];
    }

    @Override
    public float history(int kvHead, int token) {
        return scores[kvHead][heads.get(kvHead).stored() + token];
    }
}
