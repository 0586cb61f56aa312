package dev.kvasir.cache.store;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * The newest tokens of a layer exact, in a ring, beside stores that hold all tokens: keys after RoPE and values of all heads.
 * Slot {@code i} is the layer's {@code i}th token whether it is still here or not.
 *
 * <pre>
 *   ring = row of slot i at i % capacity, in pages of some rows
 *   row  = keys [kvHeads][headDim] | values [kvHeads][headDim]
 * </pre>
 */
public final class RecentRows {
    /** Rows of a page, at most. */
    private static final int PAGE_ROWS = 32;
    /** Rows decoded at a time: a tile that stays in the first-level cache. */
    private static final int CHUNK = 32;

    private final Kernels kernels;
    private final Element element;
    private final int width;
    private final int capacity;
    private final int pageRows;
    private final PageRun pages;
    private int size;
    /** The first slot whose row is still here. */
    private int oldest;

    /**
     * An empty ring.
     *
     * @param width numbers of a token's keys, and of its values: {@code kvHeads * headDim}
     * @param capacity rows, at least 1
     */
    public RecentRows(PagePool pool, Kernels kernels, Element element, int width, int capacity) {
        this(kernels, element, width, capacity, new PageRun(pool, pageRows(capacity) * rowBytes(element, width)));
    }

    private RecentRows(Kernels kernels, Element element, int width, int capacity, PageRun pages) {
        this.kernels = kernels;
        this.element = element;
        this.width = width;
        this.capacity = capacity;
        this.pageRows = pageRows(capacity);
        this.pages = pages;
    }

    /** A page is never filled in part once the ring is full. */
    private static int pageRows(int capacity) {
        return Math.min(PAGE_ROWS, Integer.lowestOneBit(capacity));
    }

    private static long rowBytes(Element element, int width) {
        return 2L * width * element.bytes();
    }

    /** Bytes of a ring that has seen {@code tokens} tokens: whole pages. */
    public static long bytes(Element element, int width, int capacity, int tokens) {
        int rows = pageRows(capacity);
        return (long) Math.ceilDiv(Math.min(tokens, capacity), rows) * rows * rowBytes(element, width);
    }

    /** Tokens seen. */
    public int size() {
        return size;
    }

    /** The first slot whose row is still here: 0, or no more than the capacity before {@link #size}. */
    public int oldest() {
        return oldest;
    }

    private int pagesFor(int tokens) {
        return Math.ceilDiv(Math.min(tokens, capacity), pageRows);
    }

    private boolean wraps(int tokens) {
        return size % capacity + tokens > capacity;
    }

    private int firstPage(int tokens) {
        return wraps(tokens) ? 0 : size % capacity / pageRows;
    }

    private int lastPage(int tokens) {
        return wraps(tokens) ? capacity / pageRows : Math.ceilDiv(size % capacity + tokens, pageRows);
    }

    /** Bytes that {@link #reserve} would take for {@code tokens} more tokens. */
    public long wantedBytes(int tokens) {
        return tokens == 0 ? 0 : pages.wantedBytes(pagesFor(size + tokens), firstPage(tokens), lastPage(tokens));
    }

    /** Makes room for {@code tokens} more tokens, as far as the capacity goes. */
    public void reserve(int tokens, PagePool.Claim claim) {
        if (tokens > 0) {
            pages.reserve(pagesFor(size + tokens), firstPage(tokens), lastPage(tokens), claim);
        }
    }

    /** Keeps the last of {@code count} more tokens; keys after RoPE and values are {@code [count][kvHeads][headDim]}. */
    public void append(float[] keys, float[] values, int count) {
        for (int i = Math.max(0, count - capacity); i < count; i++) {
            int row = (size + i) % capacity;
            MemorySegment page = pages.page(row / pageRows);
            long at = offset(row);
            kernels.encode(element, keys, i * width, width, page, at);
            kernels.encode(element, values, i * width, width, page, at + (long) width * element.bytes());
        }
        size += count;
        oldest = Math.max(oldest, size - capacity);
    }

    private long offset(int row) {
        return row % pageRows * rowBytes(element, width);
    }

    private void decode(int slot, int from, int count, float[] out, int at) {
        int row = slot % capacity;
        kernels.decode(
                element, pages.page(row / pageRows), offset(row) + (long) from * element.bytes(), count, out, at);
    }

    /**
     * Scores of one head as {@link KeyReader#scores}, of slots that are all here; queries are the model's own.
     *
     * @param headDim numbers of a query
     */
    public void scores(
            int kvHead,
            int headDim,
            float[] queries,
            int queryOffset,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        float[] key = scratch.lanes(headDim);
        for (int slot = from; slot < to; slot++) {
            decode(slot, kvHead * headDim, headDim, key, 0);
            for (int r = 0; r < rows; r++) {
                out[outOffset + r * outStride + slot - from] =
                        kernels.dot(queries, queryOffset + r * headDim, key, 0, headDim);
            }
        }
    }

    /**
     * Adds one head's weighted values as {@link ValueReader#addWeighted}, of slots that are all here.
     *
     * @param headDim numbers of a value
     * @param outStride numbers from row to row of {@code out}
     */
    public void addWeighted(
            int kvHead,
            int headDim,
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        float[] tile = scratch.tile(CHUNK * headDim);
        for (int slot = from; slot < to; slot += CHUNK) {
            int run = Math.min(CHUNK, to - slot);
            for (int i = 0; i < run; i++) {
                decode(slot + i, width + kvHead * headDim, headDim, tile, i * headDim);
            }
            int w = weightOffset + slot - from;
            kernels.sums(weights, w, weightStride, rows, tile, 0, headDim, run, headDim, out, outOffset, outStride);
        }
    }

    /** Forgets all tokens from slot {@code newSize} on; what they had overwritten stays lost. */
    public void truncate(int newSize) {
        size = newSize;
        if (oldest == 0) {
            pages.shrink(pagesFor(newSize));
        }
    }

    /** All pages, as a window. */
    public Footprint footprint() {
        return new Footprint(0, 0, pages.bytes(), 0, 0);
    }

    /** A second ring with the same content, which shares this one's pages. */
    public RecentRows fork() {
        RecentRows fork = new RecentRows(kernels, element, width, capacity, pages.fork());
        fork.size = size;
        fork.oldest = oldest;
        return fork;
    }

    /** Writes what {@link #read} needs. */
    public void write(DataOutput out) throws IOException {
        out.writeInt(oldest);
        pages.write(out, pages.count());
    }

    /**
     * Fills this empty ring with what {@link #write} wrote of {@code tokens} tokens.
     *
     * @throws CacheFileException if the content cannot be of this ring
     */
    public void read(DataInput in, int tokens) throws IOException {
        int found = in.readInt();
        int least = Math.max(0, tokens - capacity);
        if (found < least || found > tokens) {
            throw new CacheFileException(
                    "oldest exact token: found " + found + ", allowed are " + least + " to " + tokens);
        }
        pages.read(in, found > 0 ? capacity / pageRows : pagesFor(tokens));
        size = tokens;
        oldest = found;
    }

    /** Gives all pages back. */
    public void release() {
        size = 0;
        oldest = 0;
        pages.shrink(0);
    }
}
