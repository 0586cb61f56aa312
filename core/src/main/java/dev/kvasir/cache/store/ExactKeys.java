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
 * Keys element by element, in panels of 32 tokens with the tokens side by side, so that scores of 32 tokens are made at
 * once and no sum runs across lanes.
 *
 * <pre>
 *   page  = panel 0 | panel 1 | ...        (pageTokens / 32 of them)
 *   panel = channel 0: 32 tokens | channel 1: 32 tokens | ...
 * </pre>
 */
public final class ExactKeys implements RowKeys {
    private final Kernels kernels;
    private final Element element;
    private final int headDim;
    private final int pageTokens;
    private final boolean window;
    private final PageRun pages;
    private int size;

    /**
     * An empty store.
     *
     * @param pageTokens tokens of a page, a multiple of 32
     * @param window whether its bytes count as a window
     */
    public ExactKeys(PagePool pool, Kernels kernels, Element element, int headDim, int pageTokens, boolean window) {
        this(
                kernels,
                element,
                headDim,
                pageTokens,
                window,
                new PageRun(pool, (long) pageTokens * headDim * element.bytes()));
    }

    private ExactKeys(Kernels kernels, Element element, int headDim, int pageTokens, boolean window, PageRun pages) {
        this.kernels = kernels;
        this.element = element;
        this.headDim = headDim;
        this.pageTokens = pageTokens;
        this.window = window;
        this.pages = pages;
    }

    /** Bytes of a store of {@code tokens} tokens: whole pages. */
    public static long bytes(Element element, int headDim, int pageTokens, int tokens) {
        return (long) Math.ceilDiv(tokens, pageTokens) * pageTokens * headDim * element.bytes();
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public long wantedBytes(int tokens) {
        return wantedBytes(size, size + tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        reserve(size, size + tokens, claim);
    }

    /** Bytes needed before slots {@code from} to {@code to - 1} can be written. */
    long wantedBytes(int from, int to) {
        return from >= to ? 0 : pages.wantedBytes(pagesFor(to), from / pageTokens, pagesFor(to));
    }

    void reserve(int from, int to, PagePool.Claim claim) {
        if (from < to) {
            pages.reserve(pagesFor(to), from / pageTokens, pagesFor(to), claim);
        }
    }

    private int pagesFor(int tokens) {
        return Math.ceilDiv(tokens, pageTokens);
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        int row = 0;
        while (row < count) {
            int from = offset + row * stride;
            if (size % PANEL == 0 && count - row >= PANEL) {
                MemorySegment page = pages.page(size / pageTokens);
                float[] panel = scratch.tile(headDim * PANEL);
                Panels.transpose(rows, from, stride, PANEL, headDim, panel, PANEL);
                kernels.encode(element, panel, 0, headDim * PANEL, page, panelOffset(size));
                row += PANEL;
                size += PANEL;
            } else {
                write(rows, from, size);
                row++;
                size++;
            }
        }
    }

    private void write(float[] rows, int from, int slot) {
        MemorySegment page = pages.page(slot / pageTokens);
        long lane = panelOffset(slot) + (long) slot % PANEL * element.bytes();
        long step = (long) PANEL * element.bytes();
        for (int c = 0; c < headDim; c++) {
            element.set(page, lane + c * step, rows[from + c]);
        }
    }

    @Override
    public void row(int slot, float[] out, int offset, Scratch scratch) {
        MemorySegment page = pages.page(slot / pageTokens);
        long lane = panelOffset(slot) + (long) slot % PANEL * element.bytes();
        long step = (long) PANEL * element.bytes();
        for (int c = 0; c < headDim; c++) {
            out[offset + c] = element.get(page, lane + c * step);
        }
    }

    @Override
    public void replace(int slot, float[] row, int offset, Scratch scratch) {
        write(row, offset, slot);
    }

    @Override
    public void move(int from, int to) {
        MemorySegment source = pages.page(from / pageTokens);
        MemorySegment target = pages.page(to / pageTokens);
        int bytes = element.bytes();
        long step = (long) PANEL * bytes;
        long at = panelOffset(from) + (long) from % PANEL * bytes;
        long out = panelOffset(to) + (long) to % PANEL * bytes;
        for (int c = 0; c < headDim; c++) {
            MemorySegment.copy(source, at + c * step, target, out + c * step, bytes);
        }
    }

    @Override
    public long wantedBytesForAll(int tokens) {
        return wantedBytes(0, size + tokens);
    }

    @Override
    public void reserveAll(int tokens, PagePool.Claim claim) {
        reserve(0, size + tokens, claim);
    }

    private long panelOffset(int slot) {
        return (long) (slot % pageTokens / PANEL) * PANEL * headDim * element.bytes();
    }

    @Override
    public void panel(int slot, int channels, float[] tile, int offset, Scratch scratch) {
        panel(slot, tile, offset, PANEL);
    }

    /** Writes the keys of a whole panel to {@code out[channel][32]}, {@code stride} apart. */
    public void panel(int slot, float[] out, int offset, int stride) {
        MemorySegment page = pages.page(slot / pageTokens);
        long start = panelOffset(slot);
        if (stride == PANEL) {
            kernels.decode(element, page, start, headDim * PANEL, out, offset);
            return;
        }
        for (int c = 0; c < headDim; c++) {
            kernels.decode(element, page, start + (long) c * PANEL * element.bytes(), PANEL, out, offset + c * stride);
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
        float[] tile = scratch.tile(headDim * PANEL);
        for (int slot = from; slot < to; slot += PANEL) {
            panel(slot, tile, 0, PANEL);
            int o = outOffset + slot - from;
            kernels.dots(queries, queryOffset, headDim, rows, tile, 0, headDim, out, o, outStride);
        }
    }

    @Override
    public int smallestSize() {
        return 0;
    }

    @Override
    public void truncate(int newSize) {
        size = newSize;
        pages.shrink(pagesFor(newSize));
    }

    @Override
    public void shorten(int newSize) {
        size = newSize;
    }

    @Override
    public void trim() {
        pages.shrink(pagesFor(size));
    }

    @Override
    public Footprint footprint() {
        return window ? new Footprint(0, 0, pages.bytes(), 0, 0) : new Footprint(pages.bytes(), 0, 0, 0, 0);
    }

    @Override
    public ExactKeys fork() {
        ExactKeys fork = new ExactKeys(kernels, element, headDim, pageTokens, window, pages.fork());
        fork.size = size;
        return fork;
    }

    @Override
    public void write(DataOutput out) throws IOException {
        pages.write(out, pagesFor(size));
    }

    @Override
    public void read(DataInput in, int newSize) throws IOException {
        pages.read(in, pagesFor(newSize));
        size = newSize;
    }

    @Override
    public void release() {
        size = 0;
        pages.shrink(0);
    }
}
