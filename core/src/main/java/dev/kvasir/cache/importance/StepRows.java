package dev.kvasir.cache.importance;

import dev.kvasir.cache.TokenStates;

/**
 * The keys and values of a step's tokens, {@code [count][kvHeads][headDim]} each.
 *
 * @param first position of the first token
 */
public record StepRows(float[] keys, float[] values, int kvHeads, int headDim, int first, int count) {
    /** No token. */
    public static final StepRows NONE = new StepRows(new float[0], new float[0], 0, 0, 0, 0);

    /** Those of a layer's states, keys after RoPE, when {@code first} tokens have been seen. */
    public static StepRows of(TokenStates states, int kvHeads, int headDim, int first) {
        return new StepRows(states.keys(), states.values(), kvHeads, headDim, first, states.count());
    }

    /** Where the row of a token of one head starts. */
    public int at(int kvHead, int token) {
        return (token * kvHeads + kvHead) * headDim;
    }
}
