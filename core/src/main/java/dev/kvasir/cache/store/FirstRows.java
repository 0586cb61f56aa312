package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** The keys or values of the first tokens of a head, element by element, in one page {@code [capacity][headDim]}. */
final class FirstRows {
    private final Kernels kernels;
    private final Element element;
    private final int headDim;
    private final int capacity;
    private final PageRun pages;
    private int count;

    FirstRows(PagePool pool, Kernels kernels, Element element, int headDim, int capacity) {
        this(kernels, element, headDim, capacity, new PageRun(pool, bytes(element, headDim, capacity, capacity)));
    }

    private FirstRows(Kernels kernels, Element element, int headDim, int capacity, PageRun pages) {
        this.kernels = kernels;
        this.element = element;
        this.headDim = headDim;
        this.capacity = capacity;
        this.pages = pages;
    }

    static long bytes(Element element, int headDim, int capacity, int tokens) {
        return tokens == 0 ? 0 : (long) capacity * headDim * element.bytes();
    }

    int count() {
        return count;
    }

    int capacity() {
        return capacity;
    }

    /** How many of {@code tokens} more tokens find room. */
    int room(int tokens) {
        return Math.min(tokens, capacity - count);
    }

    long wantedBytes(int tokens) {
        return room(tokens) == 0 ? 0 : pages.wantedBytes(1, 0, 1);
    }

    void reserve(int tokens, PagePool.Claim claim) {
        if (room(tokens) > 0) {
            pages.reserve(1, 0, 1, claim);
        }
    }

    void append(float[] rows, int offset, int stride, int tokens) {
        for (int i = 0; i < tokens; i++) {
            kernels.encode(element, rows, offset + i * stride, headDim, pages.page(0), at(count));
            count++;
        }
    }

    private long at(int token) {
        return (long) token * headDim * element.bytes();
    }

    /** Writes rows {@code from} to {@code to - 1} to {@code out[to - from][headDim]}. */
    void read(int from, int to, float[] out) {
        kernels.decode(element, pages.page(0), at(from), (to - from) * headDim, out, 0);
    }

    void truncate(int tokens) {
        count = Math.min(count, tokens);
        pages.shrink(count == 0 ? 0 : 1);
    }

    Footprint footprint() {
        return new Footprint(0, 0, pages.bytes(), 0, 0);
    }

    FirstRows fork() {
        FirstRows fork = new FirstRows(kernels, element, headDim, capacity, pages.fork());
        fork.count = count;
        return fork;
    }

    void write(DataOutput out) throws IOException {
        pages.write(out, count == 0 ? 0 : 1);
    }

    void read(DataInput in, int tokens) throws IOException {
        pages.read(in, tokens == 0 ? 0 : 1);
        count = tokens;
    }
}
