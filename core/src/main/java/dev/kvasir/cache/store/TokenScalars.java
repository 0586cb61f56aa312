package dev.kvasir.cache.store;

import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * A few F16 numbers for each token of a layer, such as the lengths of its keys and values, in rows that are read by runs of
 * tokens.
 *
 * <pre>
 *   page = row 0: 128 tokens | row 1: 128 tokens | ...
 * </pre>
 *
 * <p>Rows may be written by several threads at a time, each its own.
 */
public final class TokenScalars {
    private static final int PAGE_TOKENS = 128;
    private static final Element ELEMENT = Element.F16;

    private final Kernels kernels;
    private final int rows;
    private final PageRun pages;
    private int size;

    /** None yet. */
    public TokenScalars(PagePool pool, Kernels kernels, int rows) {
        this(kernels, rows, new PageRun(pool, pageBytes(rows)));
    }

    private TokenScalars(Kernels kernels, int rows, PageRun pages) {
        this.kernels = kernels;
        this.rows = rows;
        this.pages = pages;
    }

    private static long pageBytes(int rows) {
        return (long) rows * PAGE_TOKENS * ELEMENT.bytes();
    }

    /** Bytes of {@code rows} numbers of each of {@code tokens} tokens: whole pages. */
    public static long bytes(int rows, int tokens) {
        return Math.ceilDiv(tokens, PAGE_TOKENS) * pageBytes(rows);
    }

    private static int pagesFor(int tokens) {
        return Math.ceilDiv(tokens, PAGE_TOKENS);
    }

    /** Tokens held. */
    public int size() {
        return size;
    }

    /** Bytes that {@link #reserve} would take. */
    public long wantedBytes(int tokens, int writeFrom) {
        int wanted = pagesFor(size + tokens);
        return pages.wantedBytes(wanted, writeFrom / PAGE_TOKENS, wanted);
    }

    /** Makes room for {@code tokens} more tokens, and lets those from slot {@code writeFrom} on be written. */
    public void reserve(int tokens, int writeFrom, PagePool.Claim claim) {
        int wanted = pagesFor(size + tokens);
        pages.reserve(wanted, writeFrom / PAGE_TOKENS, wanted, claim);
    }

    /** Counts {@code tokens} more, whose numbers are, or will be, {@linkplain #set set}. */
    public void extend(int tokens) {
        size += tokens;
    }

    /** Sets a number of a token, which may not be counted yet. */
    public void set(int row, int slot, float number) {
        ELEMENT.set(pages.page(slot / PAGE_TOKENS), offset(row, slot), number);
    }

    /** A number of a token. */
    public float get(int row, int slot) {
        return ELEMENT.get(pages.page(slot / PAGE_TOKENS), offset(row, slot));
    }

    /** Writes the numbers of slots {@code from} to {@code to - 1} to {@code out}. */
    public void read(int row, int from, int to, float[] out, int outOffset) {
        for (int slot = from; slot < to; ) {
            int run = Math.min(to - slot, PAGE_TOKENS - slot % PAGE_TOKENS);
            kernels.decode(
                    ELEMENT, pages.page(slot / PAGE_TOKENS), offset(row, slot), run, out, outOffset + slot - from);
            slot += run;
        }
    }

    private static long offset(int row, int slot) {
        return ((long) row * PAGE_TOKENS + slot % PAGE_TOKENS) * ELEMENT.bytes();
    }

    /** Forgets the numbers from slot {@code newSize} on. */
    public void truncate(int newSize) {
        size = newSize;
        pages.shrink(pagesFor(newSize));
    }

    /** Bytes held. */
    public long bytes() {
        return pages.bytes();
    }

    /** The same numbers again, in shared pages. */
    public TokenScalars fork() {
        TokenScalars fork = new TokenScalars(kernels, rows, pages.fork());
        fork.size = size;
        return fork;
    }

    /** Writes what {@link #read(DataInput, int)} needs. */
    public void write(DataOutput out) throws IOException {
        pages.write(out, pagesFor(size));
    }

    /** Reads the numbers of {@code newSize} tokens, which may be any. */
    public void read(DataInput in, int newSize) throws IOException {
        pages.read(in, pagesFor(newSize));
        size = newSize;
    }

    /** Gives all pages back. */
    public void release() {
        truncate(0);
    }
}
