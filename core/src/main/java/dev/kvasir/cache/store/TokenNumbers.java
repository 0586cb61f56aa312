package dev.kvasir.cache.store;

import dev.kvasir.cache.PagePool;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A number of four bytes for each token of a head, beside what stores its key and value: a position, a score. Whole
 * numbers or floats, as whoever writes them reads them.
 */
public final class TokenNumbers {
    /** Numbers of a page, unless another number is wanted. */
    private static final int PAGE = 256;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final PageRun pages;
    private final int perPage;
    private int size;

    /** None yet. */
    public TokenNumbers(PagePool pool) {
        this(pool, PAGE);
    }

    /** None yet, in pages of {@code perPage} numbers. */
    public TokenNumbers(PagePool pool, int perPage) {
        this(new PageRun(pool, perPage * 4L), perPage);
    }

    private TokenNumbers(PageRun pages, int perPage) {
        this.pages = pages;
        this.perPage = perPage;
    }

    /** Bytes of {@code tokens} numbers in the usual pages. */
    public static long bytes(int tokens) {
        return 4L * PAGE * Math.ceilDiv(tokens, PAGE);
    }

    private int pagesFor(int tokens) {
        return Math.ceilDiv(tokens, perPage);
    }

    /** Numbers held. */
    public int size() {
        return size;
    }

    /** Bytes that {@link #reserve} would take. */
    public long wantedBytes(int tokens, boolean all) {
        return pages.wantedBytes(pagesFor(size + tokens), from(all), pagesFor(size + tokens));
    }

    /** Makes room for {@code tokens} more; with {@code all}, those held become ours to change too. */
    public void reserve(int tokens, boolean all, PagePool.Claim claim) {
        pages.reserve(pagesFor(size + tokens), from(all), pagesFor(size + tokens), claim);
    }

    private int from(boolean all) {
        return all ? 0 : size / perPage;
    }

    private MemorySegment page(int slot) {
        return pages.page(slot / perPage);
    }

    /** Adds a whole number, for which room was reserved. */
    public void append(int number) {
        size++;
        set(size - 1, number);
    }

    /** Adds a float, for which room was reserved. */
    public void append(float number) {
        append(Float.floatToRawIntBits(number));
    }

    /** The whole number of a slot. */
    public int number(int slot) {
        return page(slot).get(INT, slot % perPage * 4L);
    }

    /** The float of a slot. */
    public float decimal(int slot) {
        return page(slot).get(FLOAT, slot % perPage * 4L);
    }

    /** Replaces the whole number of a slot. */
    public void set(int slot, int number) {
        page(slot).set(INT, slot % perPage * 4L, number);
    }

    /** Replaces the float of a slot. */
    public void set(int slot, float number) {
        page(slot).set(FLOAT, slot % perPage * 4L, number);
    }

    /** Adds {@code addends[offset + i]} to the float of slot {@code slot + i}, for {@code count} slots. */
    public void add(int slot, float[] addends, int offset, int count) {
        int done = 0;
        while (done < count) {
            MemorySegment page = page(slot + done);
            int from = (slot + done) % perPage;
            int run = Math.min(count - done, perPage - from);
            for (int i = 0; i < run; i++) {
                long at = (from + i) * 4L;
                page.set(FLOAT, at, page.get(FLOAT, at) + addends[offset + done + i]);
            }
            done += run;
        }
    }

    /** As {@link #truncate}, but keeps the pages for the numbers that follow. */
    public void shorten(int newSize) {
        size = newSize;
    }

    /** Gives back the pages that hold no number. */
    public void trim() {
        pages.shrink(pagesFor(size));
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
    public TokenNumbers fork() {
        TokenNumbers fork = new TokenNumbers(pages.fork(), perPage);
        fork.size = size;
        return fork;
    }

    /** Writes what {@link #read} needs. */
    public void write(DataOutput out) throws IOException {
        pages.write(out, pagesFor(size));
    }

    /** Reads {@code newSize} numbers, which may be any. */
    public void read(DataInput in, int newSize) throws IOException {
        pages.read(in, pagesFor(newSize));
        size = newSize;
    }

    /** Gives all pages back. */
    public void release() {
        truncate(0);
    }
}
