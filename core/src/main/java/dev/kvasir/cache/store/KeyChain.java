package dev.kvasir.cache.store;

import java.util.List;

/**
 * Keys read one after the other as if they were one: tiers, windows, segments. Each part has its own form of the queries,
 * unless {@linkplain #ofPlainQueries all take them as they are}; the borders between them may be anywhere.
 */
public final class KeyChain implements KeyReader {
    private static final int PANEL = 32;

    private final int headDim;
    private final List<? extends KeyReader> parts;

    private final boolean plain;

    /** Reads {@code parts}, a list that may grow and shrink between steps, in their order. */
    public KeyChain(int headDim, List<? extends KeyReader> parts) {
        this(headDim, parts, false);
    }

    private KeyChain(int headDim, List<? extends KeyReader> parts, boolean plain) {
        this.headDim = headDim;
        this.parts = parts;
        this.plain = plain;
    }

    /** Parts that all take the model's own queries, which are then laid out once for all of them, however many they are. */
    public static KeyChain ofPlainQueries(int headDim, List<? extends KeyReader> parts) {
        return new KeyChain(headDim, parts, true);
    }

    @Override
    public int size() {
        int size = 0;
        for (int i = 0; i < parts.size(); i++) {
            size += parts.get(i).size();
        }
        return size;
    }

    /** Each part's queries follow those of the parts before it: {@code [parts][rows][its queryWidth]}. */
    @Override
    public int queryWidth(int width) {
        if (plain) {
            return width;
        }
        int sum = 0;
        // Counted loops here and below: an iterator would be an object for every tile.
        for (int i = 0; i < parts.size(); i++) {
            sum += parts.get(i).queryWidth(width);
        }
        return sum;
    }

    @Override
    public void prepare(float[] queries, int offset, int rows, int width, float[] out, int outOffset, Scratch scratch) {
        if (plain) {
            System.arraycopy(queries, offset, out, outOffset, rows * width);
            return;
        }
        int at = outOffset;
        for (int i = 0; i < parts.size(); i++) {
            KeyReader part = parts.get(i);
            part.prepare(queries, offset, rows, width, out, at, scratch);
            at += rows * part.queryWidth(width);
        }
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
        int base = 0;
        int query = queryOffset;
        for (int i = 0; i < parts.size() && base < to; i++) {
            KeyReader part = parts.get(i);
            int first = Math.max(from, base) - base;
            int end = Math.min(to - base, part.size());
            if (first < end) {
                int at = outOffset + base + first - from;
                score(part, queries, query, rows, first, end, out, at, outStride, scratch);
            }
            base += part.size();
            query += plain ? 0 : rows * part.queryWidth(headDim);
        }
    }

    private static void score(
            KeyReader part,
            float[] queries,
            int query,
            int rows,
            int from,
            int to,
            float[] out,
            int at,
            int outStride,
            Scratch scratch) {
        int start = from / PANEL * PANEL;
        if (start == from) {
            part.scores(queries, query, rows, from, to, out, at, outStride, scratch);
            return;
        }
        // A store wants to start at a whole panel, and what is before belongs to the part before.
        // As long as any tile's, so that a part that grows does not make it grow token by token.
        int stride = Math.max(Scratch.TILE + 2 * PANEL, to - start + PANEL);
        float[] whole = scratch.chained(rows * stride);
        part.scores(queries, query, rows, start, to, whole, 0, stride, scratch);
        for (int r = 0; r < rows; r++) {
            System.arraycopy(whole, r * stride + from - start, out, at + r * outStride, to - from);
        }
    }
}
