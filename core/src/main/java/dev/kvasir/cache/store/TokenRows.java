package dev.kvasir.cache.store;

import static dev.kvasir.cache.kernel.Kernels.PANEL;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Keys and values of one KV head, element by element, a token's in one run: what serves reads of a few tokens here and there,
 * each of which costs one run of bytes.
 *
 * <pre>
 *   page = [64 tokens][key: headDim | value: headDim]
 * </pre>
 */
public final class TokenRows {
    /** Tokens of a page. */
    private static final int PAGE_TOKENS = 64;
    /** Rows of queries from which keys are turned into a panel rather than multiplied one by one. */
    private static final int PANEL_ROWS = 3;

    private final Kernels kernels;
    private final Element element;
    private final int headDim;
    private final PageRun pages;
    private final KeyReader keys = new Keys();
    private final ValueReader values = new Values();
    private int size;

    /** An empty store. */
    public TokenRows(PagePool pool, Kernels kernels, Element element, int headDim) {
        this(kernels, element, headDim, new PageRun(pool, bytes(element, headDim, PAGE_TOKENS)));
    }

    private TokenRows(Kernels kernels, Element element, int headDim, PageRun pages) {
        this.kernels = kernels;
        this.element = element;
        this.headDim = headDim;
        this.pages = pages;
    }

    /** Bytes of a store of {@code tokens} tokens: whole pages. */
    public static long bytes(Element element, int headDim, int tokens) {
        return (long) pagesFor(tokens) * PAGE_TOKENS * 2 * headDim * element.bytes();
    }

    private static int pagesFor(int tokens) {
        return Math.ceilDiv(tokens, PAGE_TOKENS);
    }

    /** Tokens held. */
    public int size() {
        return size;
    }

    /** The keys. */
    public KeyReader keys() {
        return keys;
    }

    /** The values. */
    public ValueReader values() {
        return values;
    }

    /** Bytes that {@link #reserve} would take. */
    public long wantedBytes(int tokens) {
        return tokens == 0
                ? 0
                : pages.wantedBytes(pagesFor(size + tokens), size / PAGE_TOKENS, pagesFor(size + tokens));
    }

    /** Makes room for {@code tokens} more tokens. */
    public void reserve(int tokens, PagePool.Claim claim) {
        if (tokens > 0) {
            pages.reserve(pagesFor(size + tokens), size / PAGE_TOKENS, pagesFor(size + tokens), claim);
        }
    }

    /**
     * Stores {@code count} more tokens, for which room was reserved.
     *
     * @param newKeys {@code [count][headDim]} with {@code stride} numbers from row to row, values likewise
     */
    public void append(float[] newKeys, float[] newValues, int offset, int stride, int count) {
        for (int t = 0; t < count; t++) {
            MemorySegment page = pages.page(size / PAGE_TOKENS);
            long at = key(size);
            kernels.encode(element, newKeys, offset + t * stride, headDim, page, at);
            kernels.encode(
                    element, newValues, offset + t * stride, headDim, page, at + (long) headDim * element.bytes());
            size++;
        }
    }

    private long key(int slot) {
        return (long) (slot % PAGE_TOKENS) * 2 * headDim * element.bytes();
    }

    private void decodeKey(int slot, float[] out, int offset) {
        kernels.decode(element, pages.page(slot / PAGE_TOKENS), key(slot), headDim, out, offset);
    }

    private void decodeValue(int slot, float[] out, int offset) {
        long at = key(slot) + (long) headDim * element.bytes();
        kernels.decode(element, pages.page(slot / PAGE_TOKENS), at, headDim, out, offset);
    }

    /** Forgets all tokens from slot {@code newSize} on. */
    public void truncate(int newSize) {
        size = newSize;
        pages.shrink(pagesFor(newSize));
    }

    /** Bytes of the pages held. */
    public Footprint footprint() {
        return new Footprint(pages.bytes(), 0, 0, 0, 0);
    }

    /** A second store with the same content, which shares this one's pages. */
    public TokenRows fork() {
        TokenRows fork = new TokenRows(kernels, element, headDim, pages.fork());
        fork.size = size;
        return fork;
    }

    /** Writes what {@link #read} needs. */
    public void write(DataOutput out) throws IOException {
        pages.write(out, pagesFor(size));
    }

    /** Fills this empty store with what {@link #write} wrote of {@code newSize} tokens. */
    public void read(DataInput in, int newSize) throws IOException {
        pages.read(in, pagesFor(newSize));
        size = newSize;
    }

    /** Gives all pages back. */
    public void release() {
        truncate(0);
    }

    private final class Keys implements KeyReader {
        @Override
        public int size() {
            return size;
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
            float[] tile = scratch.tile(2 * headDim * PANEL);
            for (int slot = from; slot < to; slot += PANEL) {
                int run = Math.min(PANEL, to - slot);
                for (int i = 0; i < run; i++) {
                    decodeKey(slot + i, tile, i * headDim);
                }
                score(queries, queryOffset, rows, run, tile, out, outOffset + slot - from, outStride);
            }
        }

        @Override
        public void scoresOf(
                float[] queries,
                int queryOffset,
                int rows,
                int[] slots,
                int from,
                int to,
                float[] out,
                int outOffset,
                int outStride,
                Scratch scratch) {
            float[] tile = scratch.tile(2 * headDim * PANEL);
            for (int first = from; first < to; first += PANEL) {
                int run = Math.min(PANEL, to - first);
                for (int i = 0; i < run; i++) {
                    decodeKey(slots[first + i], tile, i * headDim);
                }
                score(queries, queryOffset, rows, run, tile, out, outOffset + first - from, outStride);
            }
        }

        /** Scores the {@code run} keys at the start of the tile; behind them is room for them as a panel. */
        private void score(
                float[] queries, int q, int rows, int run, float[] tile, float[] out, int at, int outStride) {
            if (rows >= PANEL_ROWS) {
                int panel = headDim * PANEL;
                Panels.transpose(tile, 0, headDim, run, headDim, tile, panel, PANEL);
                kernels.dots(queries, q, headDim, rows, tile, panel, headDim, out, at, outStride);
                return;
            }
            for (int r = 0; r < rows; r++) {
                for (int i = 0; i < run; i++) {
                    out[at + r * outStride + i] = kernels.dot(queries, q + r * headDim, tile, i * headDim, headDim);
                }
            }
        }
    }

    private final class Values implements ValueReader {
        @Override
        public int size() {
            return size;
        }

        @Override
        public void addWeighted(
                float[] weights,
                int weightOffset,
                int weightStride,
                int rows,
                int from,
                int to,
                float[] out,
                int outOffset,
                Scratch scratch) {
            float[] tile = scratch.tile(headDim * PANEL);
            for (int slot = from; slot < to; slot += PANEL) {
                int run = Math.min(PANEL, to - slot);
                for (int i = 0; i < run; i++) {
                    decodeValue(slot + i, tile, i * headDim);
                }
                int w = weightOffset + slot - from;
                kernels.sums(weights, w, weightStride, rows, tile, 0, headDim, run, headDim, out, outOffset, headDim);
            }
        }

        @Override
        public void addWeightedOf(
                float[] weights,
                int weightOffset,
                int weightStride,
                int rows,
                int[] slots,
                int from,
                int to,
                float[] out,
                int outOffset,
                Scratch scratch) {
            float[] tile = scratch.tile(headDim * PANEL);
            for (int first = from; first < to; first += PANEL) {
                int run = Math.min(PANEL, to - first);
                for (int i = 0; i < run; i++) {
                    decodeValue(slots[first + i], tile, i * headDim);
                }
                int w = weightOffset + first - from;
                kernels.sums(weights, w, weightStride, rows, tile, 0, headDim, run, headDim, out, outOffset, headDim);
            }
        }
    }
}
