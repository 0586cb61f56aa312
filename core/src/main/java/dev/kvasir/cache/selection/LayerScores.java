package dev.kvasir.cache.selection;

import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.WeightObserver;
import java.util.List;
import java.util.Optional;

/**
 * The attention that a token gets from the last tokens of a step, summed over all heads of the layer: then all heads keep the
 * same tokens. They must have kept the same before, each in the same slot.
 */
public final class LayerScores implements Importance {
    private final List<HeadTokens> heads;
    private final WindowScores window;

    /** Scores of the tokens of these heads by the last {@code last} tokens of a step. */
    public LayerScores(List<HeadTokens> heads, int last) {
        this.heads = heads;
        this.window = new WindowScores(heads, last, WindowScores.Pooling.NONE, 1);
    }

    @Override
    public void open(TokenStates states) {
        window.open(states);
    }

    @Override
    public Optional<WeightObserver> observer() {
        return window.observer();
    }

    @Override
    public void of(int kvHead, float[] out) {
        window.of(0, out);
        // In one order for every head, so that all come to the same.
        for (int h = 1; h < heads.size(); h++) {
            window.addTo(h, out);
        }
    }
}
