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

    /** Those of a layer's states, in the model's basis after RoPE. */
    public static StepRows of(TokenStates states, int kvHeads, int headDim) {
        return new StepRows(
                states.keys(), states.values(), kvHeads, headDim, states.firstPosition(), states.count());
    }

    /** Where the row of a token of one head starts. */
    public int at(int kvHead, int token) {
        return (token * kvHeads + kvHead) * headDim;
    }
}
