package dev.kvasir.cache.importance;

import dev.kvasir.cache.TokenStates;

/** The keys and values of a step's tokens, {@code [count][kvHeads][headDim]} each: one object for all steps of a layer. */
public final class StepRows {
    private static final float[] NONE = {};

    private final int kvHeads;
    private final int headDim;
    private float[] keys = NONE;
    private float[] values = NONE;
    private int first;
    private int count;

    /** No token yet. */
    public StepRows(int kvHeads, int headDim) {
        this.kvHeads = kvHeads;
        this.headDim = headDim;
    }

    /** Turns to a layer's states, keys after RoPE, when {@code seen} tokens have been seen. */
    public void take(TokenStates states, int seen) {
        keys = states.keys();
        values = states.values();
        first = seen;
        count = states.count();
    }

    /** The step is over. */
    public void clear() {
        keys = NONE;
        values = NONE;
        count = 0;
    }

    /** Keys after RoPE. */
    public float[] keys() {
        return keys;
    }

    /** Values. */
    public float[] values() {
        return values;
    }

    /** KV heads of a row. */
    public int kvHeads() {
        return kvHeads;
    }

    /** Channels of a head. */
    public int headDim() {
        return headDim;
    }

    /** Position of the first token. */
    public int first() {
        return first;
    }

    /** Tokens of the step. */
    public int count() {
        return count;
    }

    /** Where the row of a token of one head starts. */
    public int at(int kvHead, int token) {
        return (token * kvHeads + kvHead) * headDim;
    }
}
