package dev.kvasir.cache.store;

import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.lang.foreign.MemorySegment;

/**
 * A row of numbers for every token of a sequence that layers pass on from one to the next within a step: it means nothing
 * between steps, but its pages stay. A page is {@code [pageTokens][width]}.
 *
 * <p>Rows are rounded when they are written. Different rows may be written by several threads at once.
 */
public final class Accumulator {
    /** Tokens of a page. */
    public static final int PAGE_TOKENS = 64;

    private final PagePool pool;
    private final Kernels kernels;
    private final Element element;
    private final int width;
    private final PageRun pages;

    /** An accumulator without rows. */
    public Accumulator(PagePool pool, Kernels kernels, Element element, int width) {
        this(pool, kernels, element, width, new PageRun(pool, bytes(element, width, 1)));
    }

    private Accumulator(PagePool pool, Kernels kernels, Element element, int width, PageRun pages) {
        this.pool = pool;
        this.kernels = kernels;
        this.element = element;
        this.width = width;
        this.pages = pages;
    }

    /** Bytes of {@code tokens} rows: whole pages. */
    public static long bytes(Element element, int width, int tokens) {
        return (long) Math.ceilDiv(tokens, PAGE_TOKENS) * PAGE_TOKENS * width * element.bytes();
    }

    /** Numbers of a row. */
    public int width() {
        return width;
    }

    /** Bytes that {@link #reserve} would take: every row will be written. */
    public long wantedBytes(int tokens) {
        int wanted = Math.ceilDiv(tokens, PAGE_TOKENS);
        return pages.wantedBytes(wanted, 0, wanted);
    }

    /** Makes rows for {@code tokens} tokens, and all of them ours. */
    public void reserve(int tokens, PagePool.Claim claim) {
        int wanted = Math.ceilDiv(tokens, PAGE_TOKENS);
        pages.reserve(wanted, 0, wanted, claim);
    }

    /**
     * As {@link #reserve}, from the pool itself.
     *
     * @throws dev.kvasir.cache.CacheBudgetException if it does not have them
     */
    public void take(int tokens) {
        try (PagePool.Claim claim = pool.claim(wantedBytes(tokens))) {
            reserve(tokens, claim);
        }
    }

    /** Writes {@code count} rows from a slot on, of one page, to {@code out[count][width]}. */
    public void read(int slot, int count, float[] out, int outOffset) {
        kernels.decode(element, page(slot), rowOffset(slot), count * width, out, outOffset);
    }

    /** Replaces {@code count} rows from a slot on, of one page. */
    public void write(int slot, int count, float[] in, int inOffset) {
        kernels.encode(element, in, inOffset, count * width, page(slot), rowOffset(slot));
    }

    private MemorySegment page(int slot) {
        return pages.page(slot / PAGE_TOKENS);
    }

    private long rowOffset(int slot) {
        return (long) (slot % PAGE_TOKENS) * width * element.bytes();
    }

    /** Gives back the pages beyond {@code tokens} rows. */
    public void truncate(int tokens) {
        pages.shrink(Math.ceilDiv(tokens, PAGE_TOKENS));
    }

    /** Bytes held. */
    public long bytes() {
        return pages.bytes();
    }

    /** A second accumulator over the same pages, which are copied when either is next reserved. */
    public Accumulator fork() {
        return new Accumulator(pool, kernels, element, width, pages.fork());
    }
}
