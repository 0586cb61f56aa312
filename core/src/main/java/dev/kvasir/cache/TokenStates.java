package dev.kvasir.cache;

/**
 * What one layer computes for the tokens of a step, offered to its cache. Views of the decoder's own buffers, valid until
 * {@link LayerCache#attend} returns; a cache copies what it keeps. Each is computed when first asked for, so what no cache
 * keeps is never computed.
 *
 * <p>Rows start at index 0 of the returned array and follow each other without gaps; arrays may be longer than needed.
 */
public interface TokenStates {
    /** Tokens of this step, at least 1. */
    int count();

    /** Position of the first token; the others follow it. */
    int firstPosition();

    /** The residual stream that enters the layer, before its norm, {@code [count][hiddenSize]}. */
    float[] residual();

    /** Normed input of the layer, {@code [count][hiddenSize]}. */
    float[] input();

    /** Keys before RoPE, {@code [count][kvHeads][headDim]}. */
    float[] keysBeforeRope();

    /** Keys after RoPE, {@code [count][kvHeads][headDim]}. */
    float[] keys();

    /** Values, {@code [count][kvHeads][headDim]}. */
    float[] values();
}
