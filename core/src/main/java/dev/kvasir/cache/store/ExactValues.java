package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Values element by element, a token's channels side by side; a page is {@code [pageTokens][headDim]}. With a capacity it
 * is a ring: the oldest tokens can be {@linkplain #dropOldest dropped}, and their rows are written again.
 */
public final class ExactValues implements RowValues {
    /** Tokens decoded at a time: a tile that stays in the first-level cache. */
    private static final int CHUNK = 32;

    private final Kernels kernels;
    private final Element element;
    private final int headDim;
    private final int pageTokens;
    private final int capacity;
    private final PageRun pages;
    /** Tokens dropped so far: the token of slot 0. */
    private int start;

    private int size;

    /**
     * An empty store.
     *
     * @param pageTokens tokens of a page; divides the capacity
     * @param capacity rows of the ring, which count as a window; 0 for a store without end
     */
    public ExactValues(PagePool pool, Kernels kernels, Element element, int headDim, int pageTokens, int capacity) {
        this(
                kernels,
                element,
                headDim,
                pageTokens,
                capacity,
                new PageRun(pool, (long) pageTokens * headDim * element.bytes()));
    }

    private ExactValues(Kernels kernels, Element element, int headDim, int pageTokens, int capacity, PageRun pages) {
        this.kernels = kernels;
        this.element = element;
        this.headDim = headDim;
        this.pageTokens = pageTokens;
        this.capacity = capacity;
        this.pages = pages;
    }

    /** Bytes of a store that has held {@code tokens} tokens: whole pages, at most {@code capacity} rows where there is one. */
    public static long bytes(Element element, int headDim, int pageTokens, int capacity, int tokens) {
        int rows = capacity == 0 ? tokens : Math.min(tokens, capacity);
        return (long) Math.ceilDiv(rows, pageTokens) * pageTokens * headDim * element.bytes();
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public long wantedBytes(int tokens) {
        int from = firstPage(tokens);
        return tokens == 0 ? 0 : pages.wantedBytes(pagesFor(start + size + tokens), from, lastPage(tokens));
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        if (tokens > 0) {
            pages.reserve(pagesFor(start + size + tokens), firstPage(tokens), lastPage(tokens), claim);
        }
    }

    /** Bytes needed before rows {@code from} to {@code to - 1} of a ring that starts at row 0 can be written. */
    long wantedBytes(int from, int to) {
        return from >= to ? 0 : pages.wantedBytes(pagesFor(to), from / pageTokens, pagesFor(to));
    }

    void reserve(int from, int to, PagePool.Claim claim) {
        if (from < to) {
            pages.reserve(pagesFor(to), from / pageTokens, pagesFor(to), claim);
        }
    }

    private int pagesFor(int tokens) {
        return Math.ceilDiv(capacity == 0 ? tokens : Math.min(tokens, capacity), pageTokens);
    }

    /** First page that the next {@code tokens} tokens write to. */
    private int firstPage(int tokens) {
        return wraps(tokens) ? 0 : position(size) / pageTokens;
    }

    /** The page after the last that the next {@code tokens} tokens write to. */
    private int lastPage(int tokens) {
        return wraps(tokens) ? capacity / pageTokens : Math.ceilDiv(position(size) + tokens, pageTokens);
    }

    private boolean wraps(int tokens) {
        return capacity > 0 && position(size) + tokens > capacity;
    }

    /** The row of a slot. */
    private int position(int slot) {
        return capacity == 0 ? slot : (start + slot) % capacity;
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        if (capacity > 0 && size + count > capacity) {
            throw new IllegalStateException("ring of " + capacity + " holds " + size + ", given " + count);
        }
        for (int i = 0; i < count; i++) {
            int position = position(size);
            MemorySegment page = pages.page(position / pageTokens);
            kernels.encode(element, rows, offset + i * stride, headDim, page, rowOffset(position));
            size++;
        }
    }

    @Override
    public void row(int slot, float[] out, int offset, Scratch scratch) {
        rows(slot, 1, out, offset);
    }

    @Override
    public void replace(int slot, float[] row, int offset, Scratch scratch) {
        int position = position(slot);
        kernels.encode(element, row, offset, headDim, pages.page(position / pageTokens), rowOffset(position));
    }

    @Override
    public void move(int from, int to) {
        int source = position(from);
        int target = position(to);
        MemorySegment.copy(
                pages.page(source / pageTokens),
                rowOffset(source),
                pages.page(target / pageTokens),
                rowOffset(target),
                (long) headDim * element.bytes());
    }

    @Override
    public long wantedBytesForAll(int tokens) {
        int wanted = pagesFor(start + size + tokens);
        return pages.wantedBytes(wanted, 0, wanted);
    }

    @Override
    public void reserveAll(int tokens, PagePool.Claim claim) {
        int wanted = pagesFor(start + size + tokens);
        pages.reserve(wanted, 0, wanted, claim);
    }

    private long rowOffset(int position) {
        return (long) (position % pageTokens) * headDim * element.bytes();
    }

    /** Forgets the {@code count} oldest tokens of a ring; the slots of the others move down. */
    void dropOldest(int count) {
        start += count;
        size -= count;
    }

    /** Writes the values of {@code count} tokens from a slot on, none beyond the end of a page or of the ring, to {@code out[count][headDim]}. */
    private void rows(int slot, int count, float[] out, int outOffset) {
        int position = position(slot);
        MemorySegment page = pages.page(position / pageTokens);
        kernels.decode(element, page, rowOffset(position), count * headDim, out, outOffset);
    }

    /** Tokens from a slot on, at most {@code limit}, that {@link #rows} can decode at once. */
    private int run(int slot, int limit) {
        int position = position(slot);
        int untilPageEnd = pageTokens - position % pageTokens;
        return Math.min(Math.min(limit, CHUNK), untilPageEnd);
    }

    /** Hands the {@code count} oldest tokens to another store and drops them. */
    void moveOldest(int count, ValueStore to, Scratch scratch) {
        int slot = 0;
        while (slot < count) {
            int run = run(slot, count - slot);
            float[] tile = scratch.tile(CHUNK * headDim);
            rows(slot, run, tile, 0);
            to.append(tile, 0, headDim, run, scratch);
            slot += run;
        }
        dropOldest(count);
    }

    /** Writes the {@code count} oldest tokens to {@code out[count][headDim]}. */
    void copyOldest(int count, float[] out) {
        int slot = 0;
        while (slot < count) {
            int run = run(slot, count - slot);
            rows(slot, run, out, slot * headDim);
            slot += run;
        }
    }

    /** Lets an empty ring begin {@code count} tokens later, as if those had come and been dropped. */
    void skip(int count) {
        start += count;
    }

    /** The row of a ring that its oldest token is in. */
    int firstRow() {
        return start % capacity;
    }

    /** Lets an empty ring begin at row 0 again. */
    void restart() {
        start = 0;
    }

    @Override
    public void shorten(int newSize) {
        size = newSize;
    }

    @Override
    public void trim() {
        pages.shrink(pagesFor(start + size));
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
        float[] tile = scratch.tile(CHUNK * headDim);
        int slot = from;
        while (slot < to) {
            int run = run(slot, to - slot);
            rows(slot, run, tile, 0);
            int w = weightOffset + slot - from;
            kernels.sums(weights, w, weightStride, rows, tile, 0, headDim, run, headDim, out, outOffset, headDim);
            slot += run;
        }
    }

    @Override
    public int smallestSize() {
        return 0;
    }

    @Override
    public void truncate(int newSize) {
        size = newSize;
        pages.shrink(pagesFor(start + newSize));
    }

    @Override
    public Footprint footprint() {
        return capacity > 0 ? new Footprint(0, 0, pages.bytes(), 0, 0) : new Footprint(pages.bytes(), 0, 0, 0, 0);
    }

    @Override
    public ExactValues fork() {
        ExactValues fork = new ExactValues(kernels, element, headDim, pageTokens, capacity, pages.fork());
        fork.start = start;
        fork.size = size;
        return fork;
    }

    @Override
    public void write(DataOutput out) throws IOException {
        pages.write(out, pagesFor(start + size));
    }

    @Override
    public void read(DataInput in, int newSize) throws IOException {
        read(in, 0, newSize);
    }

    /** As {@link #read(DataInput, int)}, after {@code dropped} tokens were dropped. */
    void read(DataInput in, int dropped, int newSize) throws IOException {
        pages.read(in, pagesFor(dropped + newSize));
        start = dropped;
        size = newSize;
    }

    @Override
    public void release() {
        start = 0;
        size = 0;
        pages.shrink(0);
    }
}
