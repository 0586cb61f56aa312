package dev.kvasir.cache.method.scissorhands;

import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.selection.HeadTokens;
import dev.kvasir.cache.selection.Retention;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Lets those tokens of a head go that were most often below average in the last rows, several at once when the head's slots
 * are full; of equals the older. The newest count as never below average (Scissorhands, arXiv 2305.17118, algorithm 2).
 */
final class LeastBelow implements Retention {
    private final List<HeadTokens> heads;
    private final ScissorPlan plan;
    private final int numbers;
    private final int mostEvents;
    private final Events events;
    private final Optional<WeightObserver> observer;
    private final long[][] ranks;
    private final long[][] sorted;
    private boolean goes;

    LeastBelow(List<HeadTokens> heads, ScissorPlan plan, int group) {
        this.heads = heads;
        this.plan = plan;
        this.numbers = plan.numbers(group);
        this.mostEvents = plan.window() * plan.rings(group);
        this.events = new Events(heads, plan, group);
        this.observer = Optional.of(events);
        this.ranks = new long[heads.size()][0];
        this.sorted = new long[heads.size()][0];
    }

    @Override
    public boolean hasHistory() {
        return true;
    }

    @Override
    public int historyNumbers() {
        return numbers;
    }

    @Override
    public boolean letsStoredGo() {
        return true;
    }

    @Override
    public int block(int position, int count) {
        return plan.blockAt(position, count);
    }

    @Override
    public int sizeAfter(int stored, int seen, int count) {
        return plan.sizeAfter(stored, count);
    }

    @Override
    public void open(TokenStates states, Queries queries) {
        events.open(states);
        HeadTokens head = heads.get(0);
        goes = plan.sizeAfter(head.stored(), head.own()) < head.all();
        if (!events.counts()) {
            events.begin(head.stored(), head.own());
        }
    }

    @Override
    public Optional<WeightObserver> observer() {
        return events.counts() ? observer : Optional.empty();
    }

    @Override
    public int choose(int kvHead, int[] staying) {
        HeadTokens head = heads.get(kvHead);
        int all = head.all();
        long last = goes ? firstToGo(kvHead, all) : Long.MAX_VALUE;
        int count = 0;
        for (int i = 0; i < all; i++) {
            if (!goes || ranks[kvHead][i] < last) {
                staying[count++] = i;
            }
        }
        if (goes && !plan.ring()) {
            // The next window begins after this.
            Events.clear(head.history());
        }
        return count;
    }

    /** Ranks the candidates of a head, those first that stay; returns the rank of the first that goes. */
    private long firstToGo(int kvHead, int all) {
        if (ranks[kvHead].length < all) {
            ranks[kvHead] = new long[all + all / 4];
            sorted[kvHead] = new long[all + all / 4];
        }
        long[] row = ranks[kvHead];
        for (int i = 0; i < all; i++) {
            long below = i >= all - plan.recent() ? 0 : events.of(kvHead, i);
            row[i] = below << Integer.SIZE | all - 1 - i;
        }
        System.arraycopy(row, 0, sorted[kvHead], 0, all);
        Arrays.sort(sorted[kvHead], 0, all);
        return sorted[kvHead][
                plan.sizeAfter(heads.get(kvHead).stored(), heads.get(kvHead).own())];
    }

    @Override
    public int historyBits(int kvHead, int token, int number) {
        return goes && !plan.ring() ? 0 : events.own(kvHead, token, number);
    }

    @Override
    public boolean allows(int historyBits) {
        return plan.ring() || (historyBits >= 0 && historyBits <= mostEvents);
    }
}
