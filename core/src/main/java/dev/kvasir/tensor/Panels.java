package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.LANES;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Products of six weight rows with a panel of packed tokens, kept in registers: the product for many tokens, which waits
 * for arithmetic.
 *
 * <p>A panel holds one or two vectors of tokens, column by column, padded with zeros:
 *
 * <pre>
 *   column 0                column 1
 *  +----+----+-- - --+----+----+----+-- - --+----+--
 *  | t0 | t1 |       | tw | t0 | t1 |       | tw |      tw: token width - 1
 *  +----+----+-- - --+----+----+----+-- - --+----+--
 * </pre>
 *
 * Six rows by two vectors was the fastest of 4x2, 6x2, 4x3 on AVX-512; 12 accumulators also fit the 16 registers of AVX2.
 */
final class Panels {
    /** Weight rows of a tile. */
    static final int ROWS = 6;

    /** Tokens of a wide panel; a narrow one has {@link Simd#LANES}. */
    static final int WIDE = 2 * LANES;

    private Panels() {}

    /** Tokens with their padding: whole wide panels, then at most one narrow one. */
    static int paddedTokens(int tokens) {
        return (tokens + LANES - 1) / LANES * LANES;
    }

    /** Width of the panel that starts at token {@code first}. */
    static int width(int first, int paddedTokens) {
        return Math.min(WIDE, paddedTokens - first);
    }

    /** Packs the panel that starts at token {@code first} of {@code x [tokens][columns]}. */
    static void pack(float[] x, int tokens, int columns, int first, float[] packed) {
        int width = width(first, paddedTokens(tokens));
        int real = Math.min(width, tokens - first);
        int base = first * columns;
        if (real < width) {
            Arrays.fill(packed, base, base + width * columns, 0);
        }
        // By blocks of columns: tokens often lie a power of two apart and would evict each other, read column by
        // column.
        for (int k0 = 0; k0 < columns; k0 += LANES) {
            int k1 = Math.min(columns, k0 + LANES);
            for (int t = 0; t < real; t++) {
                int source = (first + t) * columns;
                int target = base + t;
                for (int k = k0; k < k1; k++) {
                    packed[target + k * width] = x[source + k];
                }
            }
        }
    }

    private static FloatVector load(float[] a, int at) {
        return FloatVector.fromArray(F, a, at);
    }

    private static FloatVector all(float value) {
        return FloatVector.broadcast(F, value);
    }

    /** Adds {@code columns} columns to the tile {@code c [6][2 * LANES]}; weight rows are {@code wStride} apart. */
    static void addWide(float[] w, int w0, int wStride, float[] x, int x0, int columns, float[] c, int c0) {
        FloatVector a00 = load(c, c0);
        FloatVector a01 = load(c, c0 + LANES);
        FloatVector a10 = load(c, c0 + 2 * LANES);
        FloatVector a11 = load(c, c0 + 3 * LANES);
        FloatVector a20 = load(c, c0 + 4 * LANES);
        FloatVector a21 = load(c, c0 + 5 * LANES);
        FloatVector a30 = load(c, c0 + 6 * LANES);
        FloatVector a31 = load(c, c0 + 7 * LANES);
        FloatVector a40 = load(c, c0 + 8 * LANES);
        FloatVector a41 = load(c, c0 + 9 * LANES);
        FloatVector a50 = load(c, c0 + 10 * LANES);
        FloatVector a51 = load(c, c0 + 11 * LANES);
        int w1 = w0 + wStride;
        int w2 = w1 + wStride;
        int w3 = w2 + wStride;
        int w4 = w3 + wStride;
        int w5 = w4 + wStride;
        for (int k = 0; k < columns; k++) {
            FloatVector b0 = load(x, x0 + k * WIDE);
            FloatVector b1 = load(x, x0 + k * WIDE + LANES);
            FloatVector v = all(w[w0 + k]);
            a00 = v.fma(b0, a00);
            a01 = v.fma(b1, a01);
            v = all(w[w1 + k]);
            a10 = v.fma(b0, a10);
            a11 = v.fma(b1, a11);
            v = all(w[w2 + k]);
            a20 = v.fma(b0, a20);
            a21 = v.fma(b1, a21);
            v = all(w[w3 + k]);
            a30 = v.fma(b0, a30);
            a31 = v.fma(b1, a31);
            v = all(w[w4 + k]);
            a40 = v.fma(b0, a40);
            a41 = v.fma(b1, a41);
            v = all(w[w5 + k]);
            a50 = v.fma(b0, a50);
            a51 = v.fma(b1, a51);
        }
        a00.intoArray(c, c0);
        a01.intoArray(c, c0 + LANES);
        a10.intoArray(c, c0 + 2 * LANES);
        a11.intoArray(c, c0 + 3 * LANES);
        a20.intoArray(c, c0 + 4 * LANES);
        a21.intoArray(c, c0 + 5 * LANES);
        a30.intoArray(c, c0 + 6 * LANES);
        a31.intoArray(c, c0 + 7 * LANES);
        a40.intoArray(c, c0 + 8 * LANES);
        a41.intoArray(c, c0 + 9 * LANES);
        a50.intoArray(c, c0 + 10 * LANES);
        a51.intoArray(c, c0 + 11 * LANES);
    }

    /** As {@link #addWide}, for the tile {@code c [6][LANES]}. */
    static void addNarrow(float[] w, int w0, int wStride, float[] x, int x0, int columns, float[] c, int c0) {
        FloatVector a0 = load(c, c0);
        FloatVector a1 = load(c, c0 + LANES);
        FloatVector a2 = load(c, c0 + 2 * LANES);
        FloatVector a3 = load(c, c0 + 3 * LANES);
        FloatVector a4 = load(c, c0 + 4 * LANES);
        FloatVector a5 = load(c, c0 + 5 * LANES);
        int w1 = w0 + wStride;
        int w2 = w1 + wStride;
        int w3 = w2 + wStride;
        int w4 = w3 + wStride;
        int w5 = w4 + wStride;
        for (int k = 0; k < columns; k++) {
            FloatVector b = load(x, x0 + k * LANES);
            a0 = b.fma(all(w[w0 + k]), a0);
            a1 = b.fma(all(w[w1 + k]), a1);
            a2 = b.fma(all(w[w2 + k]), a2);
            a3 = b.fma(all(w[w3 + k]), a3);
            a4 = b.fma(all(w[w4 + k]), a4);
            a5 = b.fma(all(w[w5 + k]), a5);
        }
        a0.intoArray(c, c0);
        a1.intoArray(c, c0 + LANES);
        a2.intoArray(c, c0 + 2 * LANES);
        a3.intoArray(c, c0 + 3 * LANES);
        a4.intoArray(c, c0 + 4 * LANES);
        a5.intoArray(c, c0 + 5 * LANES);
    }
}
