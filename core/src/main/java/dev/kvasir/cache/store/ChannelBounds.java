package dev.kvasir.cache.store;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * The least and the largest number of each channel in every block of tokens of a head, in F16 rounded outwards: what a score
 * in that block cannot exceed.
 *
 * <pre>
 *   page = [64 blocks][least: headDim | largest: headDim]
 * </pre>
 */
public final class ChannelBounds {
    /** Blocks of a page. */
    private static final int PAGE = 64;

    private static final float[] NOTHING = {};

    private final Kernels kernels;
    private final int headDim;
    private final int blockTokens;
    private final PageRun pages;
    private float[] bounds = NOTHING;
    private int tokens;

    /** No tokens yet. */
    public ChannelBounds(PagePool pool, Kernels kernels, int headDim, int blockTokens) {
        this(kernels, headDim, blockTokens, new PageRun(pool, PAGE * 2L * headDim * Element.F16.bytes()));
    }

    private ChannelBounds(Kernels kernels, int headDim, int blockTokens, PageRun pages) {
        this.kernels = kernels;
        this.headDim = headDim;
        this.blockTokens = blockTokens;
        this.pages = pages;
    }

    /** Bytes for {@code tokens} tokens in blocks of {@code blockTokens}. */
    public static long bytes(int headDim, int blockTokens, int tokens) {
        return (long) Math.ceilDiv(Math.ceilDiv(tokens, blockTokens), PAGE) * PAGE * 2 * headDim * Element.F16.bytes();
    }

    /** Blocks that have a token. */
    public int blocks() {
        return Math.ceilDiv(tokens, blockTokens);
    }

    private int pagesFor(int count) {
        return Math.ceilDiv(Math.ceilDiv(count, blockTokens), PAGE);
    }

    private int openPage() {
        return tokens / blockTokens / PAGE;
    }

    /** Bytes that {@link #reserve} would take. */
    public long wantedBytes(int more) {
        return more == 0 ? 0 : pages.wantedBytes(pagesFor(tokens + more), openPage(), pagesFor(tokens + more));
    }

    /** Makes room for {@code more} tokens. */
    public void reserve(int more, PagePool.Claim claim) {
        if (more > 0) {
            pages.reserve(pagesFor(tokens + more), openPage(), pagesFor(tokens + more), claim);
        }
    }

    private MemorySegment page(int block) {
        return pages.page(block / PAGE);
    }

    private long offset(int block) {
        return (long) (block % PAGE) * 2 * headDim * Element.F16.bytes();
    }

    /** Takes {@code count} more tokens, rows {@code [headDim]} that are {@code stride} numbers apart. */
    public void append(float[] rows, int offset, int stride, int count) {
        bounds = Scratch.grown(bounds, 2 * headDim);
        for (int done = 0; done < count; ) {
            int block = tokens / blockTokens;
            int run = Math.min(count - done, blockTokens - tokens % blockTokens);
            boolean fresh = tokens % blockTokens == 0;
            if (!fresh) {
                kernels.decode(Element.F16, page(block), offset(block), 2 * headDim, bounds, 0);
            }
            for (int t = 0; t < run; t++) {
                widen(rows, offset + (done + t) * stride, fresh && t == 0);
            }
            kernels.encode(Element.F16, bounds, 0, 2 * headDim, page(block), offset(block));
            tokens += run;
            done += run;
        }
    }

    private void widen(float[] rows, int row, boolean first) {
        for (int c = 0; c < headDim; c++) {
            float x = rows[row + c];
            float least = down(x);
            float largest = -down(-x);
            bounds[c] = first ? least : Math.min(bounds[c], least);
            bounds[headDim + c] = first ? largest : Math.max(bounds[headDim + c], largest);
        }
    }

    /** The largest F16 number that is not above {@code x}, as long as there is one. */
    private static float down(float x) {
        float nearest = Element.F16.round(x);
        if (nearest <= x) {
            return nearest;
        }
        // Half a step of F16 below: a step is 2^-10 of a normal number, and 2^-24 of the smallest.
        return Element.F16.round(nearest - Math.max(Math.abs(nearest) * 0x1p-11f, 0x1p-24f) * 1.001f);
    }

    /** Decodes the bounds of {@code count} blocks, all of one page, to {@code out[count][2 * headDim]}. */
    public void read(int block, int count, float[] out, int outOffset) {
        kernels.decode(Element.F16, page(block), offset(block), count * 2 * headDim, out, outOffset);
    }

    /** Blocks from {@code block} on, at most {@code limit}, that {@link #read} can decode at once. */
    public int run(int block, int limit) {
        return Math.min(limit, PAGE - block % PAGE);
    }

    /** Forgets whole blocks: those from the one on that token {@code newSize} is in. */
    public void truncate(int newSize) {
        tokens = newSize / blockTokens * blockTokens;
        pages.shrink(pagesFor(newSize));
    }

    /** Tokens taken. */
    public int tokens() {
        return tokens;
    }

    /** Bytes held. */
    public long bytes() {
        return pages.bytes();
    }

    /** The same bounds again, in shared pages. */
    public ChannelBounds fork() {
        ChannelBounds fork = new ChannelBounds(kernels, headDim, blockTokens, pages.fork());
        fork.tokens = tokens;
        return fork;
    }

    /** Writes what {@link #read(DataInput, int)} needs for {@code size} tokens. */
    public void write(DataOutput out, int size) throws IOException {
        pages.write(out, pagesFor(size));
    }

    /**
     * Reads the bounds of {@code newSize} tokens, of which it takes the whole blocks.
     *
     * @throws CacheFileException if a least number is above the largest
     */
    public void read(DataInput in, int newSize) throws IOException {
        pages.read(in, pagesFor(newSize));
        tokens = newSize / blockTokens * blockTokens;
        bounds = Scratch.grown(bounds, 2 * headDim);
        for (int block = 0; block < blocks(); block++) {
            read(block, 1, bounds, 0);
            for (int c = 0; c < headDim; c++) {
                if (!(bounds[c] <= bounds[headDim + c])) {
                    throw new CacheFileException("bounds of block " + block + ", channel " + c + ": found " + bounds[c]
                            + " to " + bounds[headDim + c]);
                }
            }
        }
    }

    /** Gives all pages back. */
    public void release() {
        tokens = 0;
        pages.shrink(0);
    }
}
