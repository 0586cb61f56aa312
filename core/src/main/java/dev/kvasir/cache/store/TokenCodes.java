package dev.kvasir.cache.store;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.PagePool;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** A code of two bytes for each token of a head: the code vector that stands for its key. */
public final class TokenCodes {
    /** Codes of a page. */
    public static final int PAGE = 512;

    private static final ValueLayout.OfChar CODE = ValueLayout.JAVA_CHAR.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final PageRun pages;
    private int size;

    /** None yet. */
    public TokenCodes(PagePool pool) {
        this(new PageRun(pool, PAGE * 2L));
    }

    private TokenCodes(PageRun pages) {
        this.pages = pages;
    }

    /** Bytes of {@code tokens} codes. */
    public static long bytes(int tokens) {
        return 2L * PAGE * pagesFor(tokens);
    }

    private static int pagesFor(int tokens) {
        return Math.ceilDiv(tokens, PAGE);
    }

    /** Codes held. */
    public int size() {
        return size;
    }

    /** Bytes that {@link #reserve} would take. */
    public long wantedBytes(int tokens) {
        return tokens == 0 ? 0 : pages.wantedBytes(pagesFor(size + tokens), size / PAGE, pagesFor(size + tokens));
    }

    /** Makes room for {@code tokens} more. */
    public void reserve(int tokens, PagePool.Claim claim) {
        if (tokens > 0) {
            pages.reserve(pagesFor(size + tokens), size / PAGE, pagesFor(size + tokens), claim);
        }
    }

    /** Adds a code, for which room was reserved. */
    public void append(int code) {
        pages.page(size / PAGE).set(CODE, size % PAGE * 2L, (char) code);
        size++;
    }

    /** The code of a token. */
    public int code(int token) {
        return pages.page(token / PAGE).get(CODE, token % PAGE * 2L);
    }

    /**
     * Copies the codes of tokens {@code from} to {@code to - 1} that are in the page of {@code from}.
     *
     * @param out receives at most {@value #PAGE} codes
     * @return how many
     */
    public int copy(int from, int to, char[] out) {
        MemorySegment page = pages.page(from / PAGE);
        int count = Math.min(to - from, PAGE - from % PAGE);
        MemorySegment.copy(page, CODE, from % PAGE * 2L, out, 0, count);
        return count;
    }

    /** Forgets the codes from token {@code newSize} on. */
    public void truncate(int newSize) {
        size = newSize;
        pages.shrink(pagesFor(newSize));
    }

    /** Bytes held. */
    public long bytes() {
        return pages.bytes();
    }

    /** The same codes again, in shared pages. */
    public TokenCodes fork() {
        TokenCodes fork = new TokenCodes(pages.fork());
        fork.size = size;
        return fork;
    }

    /** Writes what {@link #read} needs. */
    public void write(DataOutput out) throws IOException {
        pages.write(out, pagesFor(size));
    }

    /**
     * Reads {@code newSize} codes.
     *
     * @throws CacheFileException if one is not below {@code codes}
     */
    public void read(DataInput in, int newSize, int codes) throws IOException {
        pages.read(in, pagesFor(newSize));
        size = newSize;
        for (int i = 0; i < newSize; i++) {
            if (code(i) >= codes) {
                throw new CacheFileException(
                        "code of token " + i + ": found " + code(i) + ", allowed are 0 to " + (codes - 1));
            }
        }
    }

    /** Gives all pages back. */
    public void release() {
        truncate(0);
    }
}
