package dev.kvasir.cache.method.kvcrush;

import dev.kvasir.cache.selection.Anchor;
import dev.kvasir.cache.selection.TopTokens;

/**
 * How tokens are represented.
 *
 * @param rho share of the budget for representatives
 * @param topBudget whether the bits mark what the budget would keep, rather than the higher half
 * @param signature whose bits they are
 * @param sigLayers layers whose bits make one signature: the layer itself and those before it
 * @param start first tokens that stay at least
 * @param recent newest tokens that stay at least
 * @param page tokens that stay or go together
 * @param byAge whether importance is divided by a token's age
 */
record CrushOptions(
        double rho,
        boolean topBudget,
        Heads signature,
        int sigLayers,
        Anchor anchor,
        long seed,
        int start,
        int recent,
        int page,
        boolean byAge) {
    /** Whose behaviour the bits are. */
    enum Heads {
        /** Each KV head's. */
        KV_HEADS,
        /** Each query head's. */
        QUERY_HEADS,
        /** That of all together: a bit for each token of a page. */
        PAGE_1BIT
    }

    /** First tokens that stay: whole pages. */
    int start(TopTokens.Plan plan) {
        return Math.ceilDiv(Math.max(plan.sinks(), start), page) * page;
    }

    /** The position from which on all tokens stay, of {@code seen}: that of a page. */
    int recentFrom(TopTokens.Plan plan, int seen) {
        return Math.max(0, seen - recent(plan, seen)) / page * page;
    }

    private int recent(TopTokens.Plan plan, int seen) {
        return Math.max(plan.recent(seen), recent);
    }

    /** The position from which on a step's own tokens can go: those before it share a page with stored ones, or are first. */
    int ownFrom(TopTokens.Plan plan, int seen) {
        return Math.max(start(plan), Math.ceilDiv(seen, page) * page);
    }

    /** Slots of a head after a step, as {@link dev.kvasir.cache.selection.Retention#sizeAfter}. */
    int sizeAfter(TopTokens.Plan plan, int stored, int seen, int count) {
        int all = stored + count;
        int end = seen + count;
        if (plan.rests(count)) {
            return all;
        }
        int from = plan.when() == TopTokens.When.PROMPTS ? ownFrom(plan, seen) : start(plan);
        int between = Math.max(0, recentFrom(plan, end) - from);
        // Of the tokens between the first and the newest, those that are still there: all of a prompt that goes but
        // once.
        int free = plan.when() == TopTokens.When.PROMPTS ? between : Math.max(0, all - (end - between));
        int around = all - free;
        return around + Math.min(free, pages(plan, around, end) * page);
    }

    /** Of so many pages those that stay for their importance. */
    int important(int pages) {
        return pages - (int) (rho * pages);
    }

    /** Pages that the budget has beside {@code around} tokens that stay anyway, of {@code seen}. */
    int pages(TopTokens.Plan plan, int around, int seen) {
        // The newest page is never whole but for a moment: its room is always set aside.
        int newest = seen - recentFrom(plan, seen);
        int unfilled = Math.max(0, recent(plan, seen) + page - 1 - newest);
        return Math.max(0, plan.size(seen) - around - unfilled) / page;
    }
}
