package dev.kvasir.cache.selection;

import java.util.List;
import java.util.Optional;

/** How a method decides which tokens stay: by what they are measured, and how many stay. Another method may build on it. */
public interface Policy {
    /** What measures the tokens of these heads of a layer. */
    Importance importance(List<HeadTokens> heads);

    /** The same that tells {@code group} query heads of each head apart; empty if it cannot. */
    default Optional<Importance> importanceByQueryHead(List<HeadTokens> heads, int group) {
        return Optional.empty();
    }

    /** Whether a number is kept beside each token. */
    default boolean hasHistory() {
        return false;
    }

    /**
     * How many of a layer stay, and which whatever their importance is.
     *
     * @param movable whether stored tokens can go, one by one
     */
    TopTokens.Plan plan(int layer, boolean movable);

    /** Layers that keep what this says. */
    default RetentionFactory retention() {
        return (layer, heads, movable) -> new TopTokens(heads, Optional.of(importance(heads)), plan(layer, movable));
    }

    /** Slots of each head of a layer, of a prompt of {@code tokens} tokens, where all heads have as many. */
    default int slots(int layer, int tokens) {
        return plan(layer, true).sizeAfter(0, 0, tokens);
    }
}
