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
    private final boolean always;
    private final float[][] scores;
    private final long[][] ranks;
    private final int[] sizes;
    private long[] together = {};
    private boolean nothingGoes;
    private boolean areSizesKnown;
    private int newest;

    /**
     * What stays.
     *
     * @param budget tokens of a head; never below sinks and recent
     * @param sinks first tokens of the sequence that always stay
     * @param recent newest tokens that always stay, at least
     * @param recentShare share of the budget that the newest tokens have, if that is more
     * @param when the steps after which tokens go
     * @param pyramid how the budgets of layers differ
     * @param shares how the heads of a layer share its budget
     */
    public record Plan(
            Budget budget, int sinks, int recent, double recentShare, When when, Pyramid pyramid, HeadBudgets shares) {
        /** All layers and heads alike. */
        public Plan(Budget budget, int sinks, int recent, double recentShare, When when) {
            this(budget, sinks, recent, recentShare, when, Pyramid.FLAT, HeadBudgets.UNIFORM);
        }

        /** Newest tokens that stay, of {@code seen}. */
        public int recent(int seen) {
            return Math.max(recent, (int) (recentShare * (budget.of(seen) - sinks)));
        }

        /** Tokens that a head may keep of {@code seen}, on average over the layer's heads. */
        public int size(int seen) {
            int always = sinks + recent(seen);
            int size = budget.of(seen);
            return size <= always ? size : always + pyramid.of(size - always, Math.max(0, seen - always));
        }

        /** Whether no token goes after a step of {@code count} tokens, whatever is stored. */
        public boolean rests(int count) {
            return when != When.ALWAYS && count == 1;
        }

        /** Tokens of a head that stay whatever their importance is. */
        int least(int stored, int seen, int count) {
            return when == When.PROMPTS ? stored + Math.min(count, recent(seen + count)) : 0;
        }

        /** As {@link Retention#sizeAfter}, of a head that has an equal share. */
        public int sizeAfter(int stored, int seen, int count) {
            int all = stored + count;
            return rests(count) ? all : Math.min(all, Math.max(least(stored, seen, count), size(seen + count)));
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
        this(heads, importance, plan, false);
    }

    /**
     * As the other.
     *
     * @param always whether tokens are scored also where none goes, after every step where some may, for who builds on it
     */
    public TopTokens(List<HeadTokens> heads, Optional<Importance> importance, Plan plan, boolean always) {
        this.always = always;
        this.heads = heads;
        this.importance = importance;
        this.plan = plan;
        this.scores = new float[heads.size()][0];
        this.ranks = new long[heads.size()][0];
        this.sizes = new int[heads.size()];
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
        if (!plan.shares.adaptive() || plan.rests(count)) {
            return plan.sizeAfter(stored, seen, count);
        }
        // One head may have what all have together.
        long most = Math.max(plan.least(stored, seen, count), (long) heads.size() * plan.size(seen + count));
        return (int) Math.min(stored + count, most);
    }

    @Override
    public boolean headsDiffer() {
        return plan.shares.adaptive();
    }

    @Override
    public boolean mayLetGo(int stored, int seen, int count) {
        return plan.shares.adaptive() ? !plan.rests(count) : Retention.super.mayLetGo(stored, seen, count);
    }

    @Override
    public void open(TokenStates states, Queries queries) {
        newest = plan.recent(states.firstPosition() + states.count());
        nothingGoes = true;
        areSizesKnown = false;
        if (plan.shares.adaptive() && !plan.rests(states.count())) {
            int all = 0;
            for (HeadTokens head : heads) {
                all += head.all();
            }
            nothingGoes = total() == all;
        } else {
            for (HeadTokens head : heads) {
                nothingGoes &= plan.sizeAfter(head.stored(), head.seen() - head.own(), head.own()) == head.all();
            }
        }
        importance.ifPresent(scored -> scored.open(states));
    }

    /** Tokens that the layer keeps, where its heads share. */
    private int total() {
        int least = 0;
        int all = 0;
        for (HeadTokens head : heads) {
            least += Math.max(
                    plan.least(head.stored(), head.seen() - head.own(), head.own()), Math.min(newest, head.all()));
            all += head.all();
        }
        long wanted = (long) heads.size() * plan.size(heads.getFirst().seen());
        return (int) Math.min(all, Math.max(least, wanted));
    }

    private boolean isScored() {
        return importance.isPresent()
                && (!nothingGoes
                        || hasHistory()
                        || (always && !plan.rests(heads.getFirst().own())));
    }

    @Override
    public Optional<WeightObserver> observer() {
        return isScored() ? importance.orElseThrow().observer() : Optional.empty();
    }

    /** The scores of a head's candidates in the step at hand, once it was {@linkplain #rank ranked}: {@code [candidates]}. */
    public float[] scores(int kvHead) {
        return scores[kvHead];
    }

    @Override
    public void rank(int kvHead) {
        if (isScored()) {
            scores[kvHead] = Scratch.grown(scores[kvHead], heads.get(kvHead).all());
            importance.orElseThrow().of(kvHead, scores[kvHead]);
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

    /** Tokens that a head keeps in the step at hand, once all heads were {@linkplain #rank ranked}. */
    public int size(int kvHead) {
        HeadTokens head = heads.get(kvHead);
        if (nothingGoes) {
            return head.all();
        }
        return plan.shares.adaptive()
                ? share(kvHead)
                : plan.sizeAfter(head.stored(), head.seen() - head.own(), head.own());
    }

    /** The share of a head; whoever comes first counts for all. */
    private synchronized int share(int kvHead) {
        if (areSizesKnown) {
            return sizes[kvHead];
        }
        int[] first = new int[heads.size() + 1];
        int[] free = new int[heads.size()];
        int all = 0;
        for (int h = 0; h < heads.size(); h++) {
            together = together.length < all + heads.get(h).all()
                    ? Arrays.copyOf(together, all + all / 2 + heads.get(h).all())
                    : together;
            first[h] = all;
            for (int i = 0; i < heads.get(h).all(); i++) {
                if (!isProtected(h, i)) {
                    together[all++] = rank(h, i);
                }
            }
            free[h] = all - first[h];
            sizes[h] = heads.get(h).all() - free[h];
        }
        first[heads.size()] = all;
        int wanted = total() - Arrays.stream(sizes).sum();
        int[] more = plan.shares.split(Math.max(0, wanted), top(together, first, wanted), free);
        for (int h = 0; h < sizes.length; h++) {
            sizes[h] += more[h];
        }
        areSizesKnown = true;
        return sizes[kvHead];
    }

    /** How many of the {@code wanted} highest of all ranks lie in each head, whose own begin at {@code first}. */
    private static int[] top(long[] ranks, int[] first, int wanted) {
        int[] top = new int[first.length - 1];
        int all = first[top.length];
        if (wanted <= 0) {
            return top;
        }
        long[] ordered = Arrays.copyOf(ranks, all);
        long last = Ranks.select(ordered, all, all - wanted);
        int left = wanted;
        for (int h = 0; h < top.length; h++) {
            for (int i = first[h]; i < first[h + 1]; i++) {
                top[h] += ranks[i] > last ? 1 : 0;
            }
            left -= top[h];
        }
        // Heads may have a rank in common.
        for (int h = 0; h < top.length; h++) {
            for (int i = first[h]; i < first[h + 1] && left > 0; i++) {
                if (ranks[i] == last) {
                    top[h]++;
                    left--;
                }
            }
        }
        return top;
    }

    @Override
    public int choose(int kvHead, int[] staying) {
        HeadTokens head = heads.get(kvHead);
        int all = head.all();
        int going = all - size(kvHead);
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
        return Ranks.rank(score, position);
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
        return Ranks.select(ranks[kvHead], count, going - 1);
    }

    @Override
    public float history(int kvHead, int token) {
        return scores[kvHead][heads.get(kvHead).stored() + token];
    }
}
