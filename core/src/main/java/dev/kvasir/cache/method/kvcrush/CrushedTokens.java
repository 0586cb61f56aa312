package dev.kvasir.cache.method.kvcrush;

import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.selection.HeadTokens;
import dev.kvasir.cache.selection.Importance;
import dev.kvasir.cache.selection.Ranks;
import dev.kvasir.cache.selection.Retention;
import dev.kvasir.cache.selection.TopTokens;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The most important tokens by another policy, and of the others representatives, sampled evenly over the order of their
 * signatures' distance from an anchor. Or pages of tokens, in place of tokens.
 */
final class CrushedTokens implements Retention {
    private final List<HeadTokens> heads;
    private final int layer;
    private final TopTokens base;
    private final Importance importance;
    private final TopTokens.Plan plan;
    private final CrushOptions options;
    private final CrushEvent event;
    private boolean isEvent;
    private int from;
    private int to;

    /** Decides about the tokens of these heads of a layer, by that importance. */
    CrushedTokens(
            int layer,
            List<HeadTokens> heads,
            Importance importance,
            TopTokens.Plan plan,
            CrushOptions options,
            CrushEvent event) {
        this.layer = layer;
        this.heads = heads;
        this.importance = importance;
        this.plan = plan;
        this.options = options;
        this.event = event;
        this.base = new TopTokens(heads, Optional.of(importance), plan, true);
    }

    @Override
    public boolean hasHistory() {
        return base.hasHistory();
    }

    @Override
    public boolean letsStoredGo() {
        return base.letsStoredGo();
    }

    @Override
    public boolean keepsOrder() {
        return base.keepsOrder();
    }

    @Override
    public boolean headsDiffer() {
        return base.headsDiffer();
    }

    @Override
    public boolean mayLetGo(int stored, int seen, int count) {
        return base.headsDiffer() ? base.mayLetGo(stored, seen, count) : Retention.super.mayLetGo(stored, seen, count);
    }

    @Override
    public int sizeAfter(int stored, int seen, int count) {
        int size = options.sizeAfter(plan, stored, seen, count);
        return base.headsDiffer() ? Math.max(size, base.sizeAfter(stored, seen, count)) : size;
    }

    @Override
    public void open(TokenStates states, Queries queries) {
        base.open(states, queries);
        int seen = states.firstPosition() + states.count();
        isEvent = !plan.rests(states.count());
        to = options.recentFrom(plan, seen);
        from = plan.when() == TopTokens.When.PROMPTS
                ? options.ownFrom(plan, states.firstPosition())
                : options.start(plan);
        event.open(layer, seen);
    }

    @Override
    public Optional<WeightObserver> observer() {
        return base.observer();
    }

    @Override
    public void rank(int kvHead) {
        base.rank(kvHead);
        if (isEvent) {
            find(kvHead);
        }
    }

    /** Finds what a head could let go, how important it is, and its bits. */
    private void find(int kvHead) {
        HeadTokens head = heads.get(kvHead);
        HeadEvent work = event.head(kvHead);
        work.fit(head.all());
        work.count = 0;
        for (int i = plan.when() == TopTokens.When.PROMPTS ? head.stored() : 0; i < head.all(); i++) {
            int position = head.position(i);
            if (position >= from && position < to) {
                work.add(position, i);
            }
        }
        if (!keepsOrder()) {
            work.sort();
        }
        worth(kvHead, base.scores(kvHead), work.worth);
        Arrays.fill(work.marks, 0, work.count, 0);
        work.marked = 0;
        if (options.signature() == CrushOptions.Heads.PAGE_1BIT) {
            return;
        }
        if (options.signature() == CrushOptions.Heads.KV_HEADS) {
            mark(kvHead, 0, work.worth);
            return;
        }
        for (int g = 0; g < event.queryHeads(); g++) {
            importance.ofQueryHead(kvHead, g, work.queryScores);
            worth(kvHead, work.queryScores, work.queryWorth);
            mark(kvHead, g, work.queryWorth);
        }
    }

    private void worth(int kvHead, float[] scores, float[] out) {
        HeadTokens head = heads.get(kvHead);
        HeadEvent work = event.head(kvHead);
        for (int i = 0; i < work.count; i++) {
            float score = scores[work.candidate(i)];
            out[i] = options.byAge() ? score / (head.seen() - work.position(i)) : score;
        }
    }

    /** Sets a bit of the tokens whose worth is in the higher half, or would be kept for it. */
    private void mark(int kvHead, int bit, float[] worth) {
        HeadEvent work = event.head(kvHead);
        int top = options.topBudget() ? Math.min(work.count, importantTokens(kvHead)) : work.count / 2;
        if (top == 0) {
            return;
        }
        for (int i = 0; i < work.count; i++) {
            work.ranks[i] = Ranks.rank(worth[i], work.position(i));
        }
        System.arraycopy(work.ranks, 0, work.sorted, 0, work.count);
        long least = Ranks.select(work.sorted, work.count, work.count - top);
        for (int i = 0; i < work.count; i++) {
            work.marks[i] |= work.ranks[i] >= least ? 1L << bit : 0;
        }
        work.marked = top;
    }

    /** Tokens that an equal share of the budget has for importance alone. */
    private int importantTokens(int kvHead) {
        HeadTokens head = heads.get(kvHead);
        int pages = options.pages(plan, head.all() - event.head(kvHead).count, head.seen());
        return options.important(pages) * options.page();
    }

    @Override
    public int choose(int kvHead, int[] staying) {
        HeadTokens head = heads.get(kvHead);
        HeadEvent work = event.head(kvHead);
        int all = head.all();
        if (isEvent && (options.sigLayers() > 1 || size(kvHead) < all)) {
            event.measure(importantTokens(kvHead));
        }
        if (!isEvent || size(kvHead) >= all) {
            for (int i = 0; i < all; i++) {
                staying[i] = i;
            }
            return all;
        }
        Arrays.fill(work.stays, 0, all, true);
        for (int i = 0; i < work.count; i++) {
            work.stays[work.candidate(i)] = false;
        }
        int pages = work.count / options.page();
        keep(work, pages, (size(kvHead) - (all - work.count)) / options.page());
        int count = 0;
        for (int i = 0; i < all; i++) {
            if (work.stays[i]) {
                staying[count++] = i;
            }
        }
        return count;
    }

    private int size(int kvHead) {
        HeadTokens head = heads.get(kvHead);
        return base.headsDiffer()
                ? Math.max(head.all() - event.head(kvHead).count, base.size(kvHead))
                : options.sizeAfter(plan, head.stored(), head.seen() - head.own(), head.own());
    }

    /** Keeps {@code keep} of a head's pages: the most important ones, and representatives of the others. */
    private void keep(HeadEvent work, int pages, int keep) {
        int important = options.important(keep);
        if (options.page() > 1 && pages - keep < keep - important) {
            // Fewer pages go than would represent them.
            important = keep;
        }
        long least = important == 0 ? Long.MAX_VALUE : leastImportant(work, pages, important);
        int eligible = 0;
        for (int i = 0; i < pages; i++) {
            if (important > 0 && work.ranks[i] >= least) {
                stay(work, i);
            } else {
                work.eligible[eligible] = i;
                work.distances[eligible++] = event.distance(work.rows[i * options.page()]);
            }
        }
        int chosen =
                work.hamming.sample(work.distances, eligible, event.largestDistance(), keep - important, work.chosen);
        for (int j = 0; j < chosen; j++) {
            stay(work, work.eligible[work.chosen[j]]);
        }
    }

    /** Ranks pages; returns the rank of the last of those that are kept for their importance. */
    private long leastImportant(HeadEvent work, int pages, int important) {
        if (options.page() == 1 && options.signature() == CrushOptions.Heads.KV_HEADS && important <= work.marked) {
            // Ranked when they were marked, and the higher ones are already apart.
            return Ranks.select(work.sorted, pages - work.marked, pages, pages - important);
        }
        for (int i = 0; i < pages; i++) {
            float worth = 0;
            for (int t = i * options.page(); t < (i + 1) * options.page(); t++) {
                worth += work.worth[t];
            }
            work.ranks[i] = Ranks.rank(worth, work.position(i * options.page()));
        }
        System.arraycopy(work.ranks, 0, work.sorted, 0, pages);
        return Ranks.select(work.sorted, pages, pages - important);
    }

    private void stay(HeadEvent work, int page) {
        for (int t = page * options.page(); t < (page + 1) * options.page(); t++) {
            work.stays[work.candidate(t)] = true;
        }
    }

    @Override
    public float history(int kvHead, int token) {
        return base.history(kvHead, token);
    }
}
