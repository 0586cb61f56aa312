package dev.kvasir.cache.selection;

import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.importance.ColumnSums;
import dev.kvasir.cache.importance.RowFilter;
import java.util.List;
import java.util.Optional;

/** All attention that a token has ever got, summed over the query heads of its KV head (H2O, arXiv 2306.14048, section 4). */
public final class AccumulatedScores implements Importance {
    private final List<HeadTokens> heads;
    private final ColumnSums sums;
    private final Optional<WeightObserver> observer;

    /** Scores of the tokens of these heads, which keep theirs as history. */
    public AccumulatedScores(List<HeadTokens> heads) {
        this.heads = heads;
        this.sums = new ColumnSums(
                heads.size(),
                RowFilter.ALL,
                (kvHead, slot, weights, offset, count) ->
                        heads.get(kvHead).history().add(slot, weights, offset, count));
        this.observer = Optional.of(sums);
    }

    @Override
    public boolean isHistory() {
        return true;
    }

    @Override
    public void open(TokenStates states) {
        sums.expect(states.firstPosition(), 0);
    }

    @Override
    public Optional<WeightObserver> observer() {
        return observer;
    }

    @Override
    public void of(int kvHead, float[] out) {
        HeadTokens head = heads.get(kvHead);
        int stored = head.stored();
        for (int slot = 0; slot < stored; slot++) {
            out[slot] = head.history().decimal(slot);
        }
        for (int t = 0; t < head.own(); t++) {
            out[stored + t] = sums.own(kvHead, t);
        }
    }
}
