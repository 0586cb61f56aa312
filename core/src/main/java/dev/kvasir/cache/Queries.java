package dev.kvasir.cache;

/**
 * The queries of a step's tokens in one layer. Views of the decoder's own buffers, valid during {@link
 * LayerCache#attend}. Not scaled: the cache multiplies by {@code 1 / sqrt(headDim)}; what a model wants beside that, its own
 * scale or the temperature of YaRN, is in them.
 */
public interface Queries {
    /** Tokens of this step: the same that were just appended. */
    int count();

    /** Queries before RoPE, {@code [count][heads][headDim]}. */
    float[] queriesBeforeRope();

    /** Queries after RoPE, {@code [count][heads][headDim]}. */
    float[] queries();
}
