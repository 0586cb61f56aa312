package dev.kvasir.cache.importance;

import java.util.BitSet;
import java.util.SplittableRandom;

/**
 * A few rows that stand for all: the newest and some drawn from the others (ZipCache, arXiv 2405.14256, section 4.2).
 *
 * <p>Of a prompt of n tokens these are the last floor(recent n) and floor(random n) drawn without replacement from the
 * earlier ones, or all if n is below {@value #FEW}. A decoded token is asked if it is among the last floor(recent window)
 * of its window, or with probability {@code random}. The draw depends on the seed and on positions alone.
 */
public final class ProbeRows implements RowFilter {
    /** Prompts of fewer tokens are asked whole. */
    private static final int FEW = 20;

    private final double recent;
    private final double random;
    private final int window;
    private final long seed;
    private final BitSet chosen = new BitSet();
    private int place;

    /**
     * Shares of the tokens, from 0 to 1.
     *
     * @param window tokens after which decoded tokens are judged
     */
    public ProbeRows(double recent, double random, int window, long seed) {
        this.recent = recent;
        this.random = random;
        this.window = window;
        this.seed = seed;
    }

    /** Says that the coming step's first token is number {@code at} (from 0) of its window. */
    public void expect(int at) {
        place = at;
    }

    /** Whether a step is a prompt or a part of one: the first if it has several tokens, and those as long as a window. */
    public boolean isPrompt(int first, int count) {
        return (first == 0 && count > 1) || count >= window;
    }

    @Override
    public void begin(int first, int count) {
        chosen.clear();
        if (!isPrompt(first, count)) {
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
