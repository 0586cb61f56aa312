package dev.kvasir.cache.method.locret;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.tensor.Activations;
import dev.kvasir.tensor.RowProducts;
import java.util.Arrays;

/**
 * A layer's retaining head: how strongly later answers will attend to a token, predicted for every KV head from the
 * token's query, key and value before RoPE alone (Locret, arXiv 2410.01805, section 3.2).
 *
 * <pre>
 *   score = silu([q; k; v] W1) W2        no bias
 *   W1 [heads * headDim + 2 * kvHeads * headDim][width]    W2 [width][kvHeads]
 * </pre>
 *
 * <p>A token's score depends on nothing but that token, to the bit: not on the tokens before or beside it.
 */
public final class RetainingHead {
    /** Tokens whose hidden numbers are in flight: they and a stretch of W1 stay in the first-level caches. */
    private static final int BLOCK = 16;

    private final int queryWidth;
    private final int keyWidth;
    private final int kvHeads;
    private final int width;
    private final float[] w1;
    private final float[] w2;

    /**
     * The head of one layer.
     *
     * @param width hidden numbers, dR in the paper
     * @param w1 {@code [inputs][width]}, kept as it is
     * @param w2 {@code [width][kvHeads]}, kept as it is
     */
    public RetainingHead(CacheShape shape, int width, float[] w1, float[] w2) {
        this.queryWidth = shape.heads() * shape.headDim();
        this.keyWidth = shape.kvHeads() * shape.headDim();
        this.kvHeads = shape.kvHeads();
        this.width = width;
        this.w1 = w1;
        this.w2 = w2;
        if (w1.length != inputs(shape) * width || w2.length != width * kvHeads) {
            throw new IllegalArgumentException("weights of " + w1.length + " and " + w2.length + " numbers for "
                    + inputs(shape) + " inputs, " + width + " hidden, " + kvHeads + " heads");
        }
    }

    /** Numbers a head reads of one token. */
    public static int inputs(CacheShape shape) {
        return (shape.heads() + 2 * shape.kvHeads()) * shape.headDim();
    }

    /** Hidden numbers of a token. */
    public int width() {
        return width;
    }

    /** {@code [inputs][width]}; the head's own array. */
    public float[] w1() {
        return w1;
    }

    /** {@code [width][kvHeads]}; the head's own array. */
    public float[] w2() {
        return w2;
    }

    /**
     * Writes the scores of tokens {@code from} to {@code from + count - 1}.
     *
     * @param queries before RoPE, {@code [tokens][heads][headDim]}
     * @param keys before RoPE, {@code [tokens][kvHeads][headDim]}
     * @param values {@code [tokens][kvHeads][headDim]}
     * @param hidden room for {@link #roomFor} numbers
     * @param out receives {@code [count][kvHeads]} from {@code outOffset} on
     */
    public void score(
            float[] queries,
            float[] keys,
            float[] values,
            int from,
            int count,
            float[] hidden,
            float[] out,
            int outOffset) {
        for (int t = 0; t < count; t += BLOCK) {
            int tokens = Math.min(BLOCK, count - t);
            project(queries, keys, values, from + t, tokens, hidden, 0);
            Activations.silu(hidden, 0, tokens * width);
            output(hidden, 0, tokens, out, outOffset + t * kvHeads);
        }
    }

    /** Numbers that {@link #score} needs room for with {@code tokens} tokens. */
    public int roomFor(int tokens) {
        return Math.min(BLOCK, tokens) * width;
    }

    /** The first product alone: {@code [count][width]} from {@code hiddenOffset} on. */
    public void project(
            float[] queries, float[] keys, float[] values, int from, int count, float[] hidden, int hiddenOffset) {
        Arrays.fill(hidden, hiddenOffset, hiddenOffset + count * width, 0);
        int w = 0;
        add(queries, from, queryWidth, count, w, hidden, hiddenOffset);
        w += queryWidth * width;
        add(keys, from, keyWidth, count, w, hidden, hiddenOffset);
        w += keyWidth * width;
        add(values, from, keyWidth, count, w, hidden, hiddenOffset);
    }

    private void add(float[] x, int from, int inputs, int count, int w0, float[] hidden, int hiddenOffset) {
        RowProducts.add(x, from * inputs, inputs, 1, count, w1, w0, inputs, width, hidden, hiddenOffset);
    }

    /** The second product alone, of hidden numbers after the activation. */
    public void output(float[] hidden, int hiddenOffset, int count, float[] out, int outOffset) {
        Arrays.fill(out, outOffset, outOffset + count * kvHeads, 0);
        RowProducts.add(hidden, hiddenOffset, width, 1, count, w2, 0, width, kvHeads, out, outOffset);
    }
}
