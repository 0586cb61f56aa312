package dev.kvasir.cache.lookup;

import dev.kvasir.cache.store.TokenCodes;
import java.util.Arrays;

/**
 * The K best tokens of each query head where a token's score is that of its code: no score of a token is ever written down.
 *
 * <p>Codes are counted once for all query heads of a KV head. Of each head the score is found that K tokens reach, by radix
 * selection over the codes; then one pass over the tokens marks those above it for some head, and as many at it as are still
 * wanted, lower tokens first. The result is that of sorting all tokens by score and, for equal scores, by position.
 */
public final class CountedTopK {
    /** Query heads of a pass: a bit each. */
    private static final int HEADS = Long.SIZE;

    private final char[] page = new char[TokenCodes.PAGE];
    private final Threshold threshold = new Threshold();
    private final int[] wanted = new int[HEADS];
    private int[] counts = {};
    private boolean[] above = {};
    private long[] at = {};

    /**
     * Marks the best tokens of every head.
     *
     * @param from first candidate
     * @param to the token after the last candidate
     * @param table scores of the codes, {@code [heads][codes]}
     * @param k tokens of each head, of which all are marked if there are no more
     */
    public void mark(TokenCodes ids, int from, int to, int codes, float[] table, int heads, int k, Chosen out) {
        if (from >= to || k <= 0) {
            return;
        }
        if (k >= to - from) {
            out.mark(from, to);
            return;
        }
        fit(codes);
        count(ids, from, to, codes);
        for (int first = 0; first < heads; first += HEADS) {
            int run = Math.min(HEADS, heads - first);
            Arrays.fill(above, 0, codes, false);
            Arrays.fill(at, 0, codes, 0);
            for (int h = 0; h < run; h++) {
                wanted[h] = threshold(table, (first + h) * codes, codes, k, h);
            }
            emit(ids, from, to, out);
        }
    }

    private void fit(int codes) {
        if (counts.length < codes) {
            counts = new int[codes];
            above = new boolean[codes];
            at = new long[codes];
        }
    }

    private void count(TokenCodes ids, int from, int to, int codes) {
        Arrays.fill(counts, 0, codes, 0);
        for (int t = from; t < to; ) {
            int run = ids.copy(t, to, page);
            for (int i = 0; i < run; i++) {
                counts[page[i]]++;
            }
            t += run;
        }
    }

    /** Notes which codes are above the score that {@code k} tokens reach and which are at it; returns how many of the latter's tokens are wanted. */
    private int threshold(float[] table, int offset, int codes, int k, int head) {
        threshold.find(table, offset, codes, counts, k);
        for (int c = 0; c < codes; c++) {
            int order = threshold.compare(table[offset + c]);
            if (order > 0) {
                above[c] = true;
            } else if (order == 0) {
                at[c] |= 1L << head;
            }
        }
        return threshold.left();
    }

    private void emit(TokenCodes ids, int from, int to, Chosen out) {
        for (int t = from; t < to; ) {
            int run = ids.copy(t, to, page);
            for (int i = 0; i < run; i++) {
                char code = page[i];
                if (above[code]) {
                    out.mark(t + i);
                }
                if (at[code] != 0) {
                    emitTied(at[code], t + i, out);
                }
            }
            t += run;
        }
    }

    private void emitTied(long heads, int token, Chosen out) {
        for (long left = heads; left != 0; left &= left - 1) {
            int head = Long.numberOfTrailingZeros(left);
            if (wanted[head] > 0) {
                wanted[head]--;
                out.mark(token);
            }
        }
    }
}
