package dev.kvasir.cache.selection;

import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.tensor.RotaryBlock;
import dev.kvasir.tensor.RotaryTable;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.IntSupplier;

/**
 * Reads the keys of one head of a {@link WindowLayer}. A query beyond the cap has a second copy, turned back to the cap, which
 * reads the sinks (LM-Infinite, arXiv 2308.16137, section 3); ring slots that a row no longer sees get a score whose weight is 0.
 *
 * <pre>
 *   prepared: queries [rows][width] | queries at the cap [rows][width] | token of the step [rows]
 * </pre>
 */
final class WindowKeys implements KeyReader {
    /** Its weight is 0 beside any real score, and every row has one: its own token's. Finite, so that differences are numbers. */
    private static final float HIDDEN = -1e30f;

    private static final int PANEL = 32;

    private final WindowPlan plan;
    private final KeyReader inner;
    private final int headDim;
    private final Optional<RotaryTable> table;
    private final Optional<RotaryBlock> rotary;
    private final IntSupplier seen;

    WindowKeys(
            WindowPlan plan,
            KeyReader inner,
            int headDim,
            Optional<RotaryTable> table,
            Optional<RotaryBlock> rotary,
            IntSupplier seen) {
        this.plan = plan;
        this.inner = inner;
        this.headDim = headDim;
        this.table = table;
        this.rotary = rotary;
        this.seen = seen;
    }

    @Override
    public int size() {
        return inner.size();
    }

    @Override
    public int queryWidth(int width) {
        return 2 * inner.queryWidth(width) + 1;
    }

    @Override
    public void prepare(float[] queries, int offset, int rows, int width, float[] out, int outOffset, Scratch scratch) {
        int innerWidth = inner.queryWidth(width);
        inner.prepare(queries, offset, rows, width, out, outOffset, scratch);
        int tokens = outOffset + 2 * rows * innerWidth;
        for (int r = 0; r < rows; r++) {
            out[tokens + r] = scratch.token(r);
        }
        if (isCapped(scratch.token(rows - 1))) {
            float[] turned = scratch.spare(rows * width);
            for (int r = 0; r < rows; r++) {
                turn(queries, offset + r * width, seen.getAsInt() + scratch.token(r), turned, r * width);
            }
            inner.prepare(turned, 0, rows, width, out, outOffset + rows * innerWidth, scratch);
        }
    }

    /** Whether a token of the step looks at the sinks from the cap. */
    private boolean isCapped(int token) {
        return rotary.isPresent() && seen.getAsInt() + (long) token > plan.cap();
    }

    /** Turns a query at a position back to the cap, if it is beyond. */
    private void turn(float[] query, int offset, int position, float[] out, int outOffset) {
        int beyond = position - plan.cap();
        if (beyond <= 0) {
            System.arraycopy(query, offset, out, outOffset, headDim);
            return;
        }
        table.orElseThrow().reach(beyond);
        rotary.orElseThrow().turnBack(beyond, query, offset, 1, out, outOffset);
    }

    @Override
    public void scores(
            float[] queries,
            int queryOffset,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        int innerWidth = inner.queryWidth(headDim);
        int tokens = queryOffset + 2 * rows * innerWidth;
        inner.scores(queries, queryOffset, rows, from, to, out, outOffset, outStride, scratch);
        int sinks = Math.min(to, plan.sinks());
        if (from < sinks && isCapped((int) queries[tokens + rows - 1])) {
            int stride = sinks - from + PANEL;
            float[] scores = scratch.spare(rows * stride);
            inner.scores(queries, queryOffset + rows * innerWidth, rows, from, sinks, scores, 0, stride, scratch);
            for (int r = 0; r < rows; r++) {
                System.arraycopy(scores, r * stride, out, outOffset + r * outStride, sinks - from);
            }
        }
        int position = seen.getAsInt();
        for (int r = 0; r < rows; r++) {
            hide(position, (int) queries[tokens + r], from, to, out, outOffset + r * outStride);
        }
    }

    /** Hides the slots of the tokens that the {@code token}th one of a step at {@code position} no longer sees. */
    private void hide(int position, int token, int from, int to, float[] out, int at) {
        int oldest = Math.max(plan.sinks(), position - plan.window());
        int firstSeen = position + token - plan.window() + 1;
        if (firstSeen <= oldest) {
            return;
        }
        int hidden = firstSeen - oldest;
        int slot = plan.slot(oldest);
        int untilEnd = plan.slots() - slot;
        fill(slot, slot + Math.min(hidden, untilEnd), from, to, out, at);
        if (hidden > untilEnd) {
            fill(plan.sinks(), plan.sinks() + hidden - untilEnd, from, to, out, at);
        }
    }

    private static void fill(int first, int end, int from, int to, float[] out, int at) {
        int a = Math.max(first, from);
        int b = Math.min(end, to);
        if (a < b) {
            Arrays.fill(out, at + a - from, at + b - from, HIDDEN);
        }
    }
}
