package dev.kvasir.cache.method.zipvl;

import dev.kvasir.cache.importance.RowFilter;
import java.util.BitSet;
import java.util.SplittableRandom;

/**
 * ZipVL's probe rows of a prompt: the newest ones and as many random earlier ones; all rows if there are no more than that
 * (arXiv 2410.08584, v1). The draw depends on seed and position alone.
 */
final class VlProbes implements RowFilter {
    private final int recent;
    private final int random;
    private final long seed;
    private final BitSet chosen = new BitSet();
    private boolean lastOnly;

    VlProbes(int recent, int random, long seed) {
        this.recent = recent;
        this.random = random;
        this.seed = seed;
    }

    /** Says that of the coming step only the last row is asked. */
    void lastOnly(boolean only) {
        lastOnly = only;
    }

    @Override
    public void begin(int first, int count) {
        chosen.clear();
        if (lastOnly) {
            chosen.set(count - 1);
        } else if (count <= recent + random) {
            chosen.set(0, count);
        } else {
            int others = count - recent;
            chosen.set(others, count);
            // Floyd's way to draw without replacement.
            SplittableRandom generator = new SplittableRandom(seed * 0x9e3779b97f4a7c15L + first);
            for (int i = others - random; i < others; i++) {
                int t = generator.nextInt(i + 1);
                chosen.set(chosen.get(t) ? i : t);
            }
        }
    }

    @Override
    public boolean wants(int token) {
        return chosen.get(token);
    }

    /** Rows asked from a token on, the token included. */
    int from(int token) {
        return chosen.get(Math.max(0, token), Math.max(0, token) + (1 << 20)).cardinality();
    }
}
