package dev.kvasir.cache.segment;

import dev.kvasir.cache.importance.StepRows;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.store.Scratch;
import java.util.List;

/**
 * The making of a segment: of the tail and the step's tokens, and, where all is quantized again, of what the segments before
 * it stand for. Tokens of those keep the set they are in. All exact rows are rounded to F16, as the tail holds them, so a
 * token's codes do not depend on whether it waited there.
 */
public final class SegmentFlush implements SegmentRows {
    private final SegmentLayout layout;
    private final Segment segment;
    private final SegmentTail tail;
    private final StepRows step;
    private final int old;
    /** What old segments stand for, {@code [kvHeads][old * headDim]}; empty if they stay. */
    private final float[][] oldKeys;

    private final float[][] oldValues;
    /** Tokens of each set of each selection, by position: {@code [sets][selections][tokens]}. */
    private final int[][][] members;

    private final float[] factors;
    private final Scratch unused = new Scratch();

    /**
     * Selects and measures at once; what is left to do are {@link #parts}.
     *
     * @param segment what is made, reserved
     * @param replaced segments it also stands for; empty if they stay
     * @param chosenNew who is important, {@code [selections][tail + step]}
     */
    public SegmentFlush(
            SegmentLayout layout,
            Segment segment,
            List<Segment> replaced,
            SegmentTail tail,
            StepRows step,
            boolean[][] chosenNew) {
        this.layout = layout;
        this.segment = segment;
        this.tail = tail;
        this.step = step;
        old = segment.tokens() - tail.size() - step.count();
        int heads = layout.shape().kvHeads();
        oldKeys = new float[replaced.isEmpty() ? 0 : heads][old * layout.shape().headDim()];
        oldValues = new float[oldKeys.length][old * layout.shape().headDim()];
        boolean[][] chosen = new boolean[chosenNew.length][segment.tokens()];
        int at = 0;
        for (Segment from : replaced) {
            for (int row = 0; row < chosen.length; row++) {
                for (int token = 0; token < from.tokens(); token++) {
                    chosen[row][at + token] = from.isHigh(row, token);
                }
            }
            restore(from, at);
            at += from.tokens();
        }
        for (int row = 0; row < chosen.length; row++) {
            System.arraycopy(chosenNew[row], 0, chosen[row], old, chosenNew[row].length);
        }
        segment.select(chosen);
        segment.measure(this);
        factors = segment.factors();
        members = members(chosen);
    }

    /** Writes what a segment stands for from token {@code at} on. */
    private void restore(Segment from, int at) {
        int d = layout.shape().headDim();
        float[] by = from.factors();
        float[] row = new float[layout.channels()];
        for (int kvHead = 0; kvHead < layout.shape().kvHeads(); kvHead++) {
            int high = 0;
            for (int token = 0; token < from.tokens(); token++) {
                boolean isHigh = from.isHigh(kvHead, token);
                SegmentSet set = (isHigh ? from.high() : from.low()).orElseThrow();
                int slot = isHigh ? high++ : token - high;
                int out = (at + token) * d;
                set.keyStore(kvHead).row(slot, oldKeys[kvHead], out, unused);
                set.valueStore().row(slot, row, 0, unused);
                for (int c = 0; c < d; c++) {
                    float factor = by.length == 0 ? 1 : by[kvHead * d + c];
                    oldValues[kvHead][out + c] = row[kvHead * d + c] * factor;
                }
            }
        }
    }

    private int[][][] members(boolean[][] chosen) {
        int[][][] all = new int[2][chosen.length][];
        for (int row = 0; row < chosen.length; row++) {
            int[] high = new int[segment.highTokens()];
            int[] low = new int[segment.tokens() - high.length];
            int highs = 0;
            for (int token = 0; token < segment.tokens(); token++) {
                if (chosen[row][token]) {
                    high[highs++] = token;
                } else {
                    low[token - highs] = token;
                }
            }
            all[0][row] = high;
            all[1][row] = low;
        }
        return all;
    }

    /** Parts that may run at the same time: each head's keys, and each set's values. */
    public int parts() {
        return layout.shape().kvHeads() + 2;
    }

    public void run(int part, Scratch scratch) {
        int heads = layout.shape().kvHeads();
        if (part < heads) {
            int row = layout.selections() == 1 ? 0 : part;
            segment.high().ifPresent(set -> set.writeKeys(part, this, members[0][row], scratch));
            segment.low().ifPresent(set -> set.writeKeys(part, this, members[1][row], scratch));
        } else if (part == heads) {
            segment.high().ifPresent(set -> set.writeValues(this, members[0], factors, scratch));
        } else {
            segment.low().ifPresent(set -> set.writeValues(this, members[1], factors, scratch));
        }
    }

    @Override
    public void key(int kvHead, int token, float[] out, int offset) {
        int d = layout.shape().headDim();
        int stored = token - old;
        if (stored < 0) {
            System.arraycopy(oldKeys[kvHead], token * d, out, offset, d);
        } else if (stored < tail.size()) {
            tail.keys(kvHead).row(stored, out, offset, unused);
        } else {
            exact(step.keys(), kvHead, stored - tail.size(), out, offset);
        }
    }

    @Override
    public void value(int kvHead, int token, float[] out, int offset) {
        int d = layout.shape().headDim();
        int stored = token - old;
        if (stored < 0) {
            System.arraycopy(oldValues[kvHead], token * d, out, offset, d);
        } else if (stored < tail.size()) {
            tail.values(kvHead).row(stored, out, offset, unused);
        } else {
            exact(step.values(), kvHead, stored - tail.size(), out, offset);
        }
    }

    private void exact(float[] rows, int kvHead, int token, float[] out, int offset) {
        System.arraycopy(rows, step.at(kvHead, token), out, offset, step.headDim());
        Element.F16.round(out, offset, step.headDim());
    }
}
