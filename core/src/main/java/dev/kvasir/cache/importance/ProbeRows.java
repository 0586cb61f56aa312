package dev.kvasir.cache.importance;

import java.util.BitSet;
import java.util.SplittableRandom;

/**
 * A few rows that stand for all: the newest and some drawn from the others (ZipCache, arXiv 2405.14256, section 4.2).
 *
 * <p>Of a prompt of n tokens these are the last floor(recent n) and floor(random n) drawn without replacement from the
 * earlier ones, or all if n is below {@value #FEW}. A decoded token is asked if it is among the last floor(recent window)
 * of its window, or with probability {@code random}. The draw depends on the seed and the token's position alone.
 */
public final class ProbeRows implements RowFilter {
    /** Prompts of fewer tokens are asked whole. */
    private static final int FEW = 20;

    private final double recent;
    private final double random;
    private final long seed;
    private final BitSet chosen = new BitSet();

    private int window;
    private int place;

    /** Shares of a prompt's tokens, from 0 to 1. */
    public ProbeRows(double recent, double random, long seed) {
        this.recent = recent;
        this.random = random;
        this.seed = seed;
    }

    /** The next step is a prompt, or a part of one. */
    public void expectPrompt() {
        window = 0;
    }

    /** The next step decodes tokens, the first of which is number {@code at} (from 0) of a window of {@code size}. */
    public void expectDecoded(int at, int size) {
        window = size;
        place = at;
    }

    @Override
    public void begin(int first, int count) {
        chosen.clear();
        if (window > 0) {
            drawDecoded(first, count);
        } else if (count < FEW) {
            chosen.set(0, count);
        } else {
            drawPrompt(first, count);
        }
    }

    private void drawDecoded(int first, int count) {
        int newest = (int) (recent * window);
        for (int t = 0; t < count; t++) {
            boolean drawn = random > 0 && generator(first + t).nextDouble() < random;
            chosen.set(t, drawn || place + t >= window - newest);
        }
    }

    private void drawPrompt(int first, int count) {
        int newest = (int) (recent * count);
        int others = count - newest;
        int draws = Math.min(others, (int) (random * count));
        chosen.set(others, count);
        // Floyd's way to draw without replacement.
        SplittableRandom generator = generator(first);
        for (int i = others - draws; i < others; i++) {
            int t = generator.nextInt(i + 1);
            chosen.set(chosen.get(t) ? i : t);
        }
    }

    private SplittableRandom generator(int position) {
        return new SplittableRandom(seed * 0x9e3779b97f4a7c15L + position);
    }

    @Override
    public boolean wants(int token) {
        return chosen.get(token);
    }
}
