package dev.kvasir.cache.store;

import static dev.kvasir.cache.kernel.Kernels.PANEL;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * The newest tokens of a head, exact, until {@code capacity} of them are compressed together: a step that fills it hands over
 * what it holds and begins it anew with what is left. Keys and values are written apart, so that two threads may.
 */
public final class ChunkBuffer {
    private static final int PAGE_TOKENS = 32;

    private final int headDim;
    private final int capacity;
    private final ExactKeys keys;
    private final ExactValues values;

    /**
     * An empty buffer.
     *
     * @param capacity a multiple of 32
     */
    public ChunkBuffer(PagePool pool, Kernels kernels, Element element, int headDim, int capacity) {
        this(
                headDim,
                capacity,
                new ExactKeys(pool, kernels, element, headDim, PAGE_TOKENS, true),
                new ExactValues(pool, kernels, element, headDim, PAGE_TOKENS, capacity));
    }

    private ChunkBuffer(int headDim, int capacity, ExactKeys keys, ExactValues values) {
        this.headDim = headDim;
        this.capacity = capacity;
        this.keys = keys;
        this.values = values;
    }

    /** Bytes of a buffer of {@code tokens} tokens, fewer than its capacity. */
    public static long bytes(Element element, int headDim, int tokens) {
        return 2L * Math.ceilDiv(tokens, PAGE_TOKENS) * PAGE_TOKENS * headDim * element.bytes();
    }

    /** Tokens held. */
    public int size() {
        return keys.size();
    }

    /** The keys held. */
    public KeyReader keys() {
        return keys;
    }

    /** The values held. */
    public ValueReader values() {
        return values;
    }

    /** Of the tokens held and {@code tokens} more, how many must be compressed: all but fewer than the capacity. */
    public int flushed(int tokens) {
        return (size() + tokens) / capacity * capacity;
    }

    /** Bytes that {@link #reserve} would take for a step of {@code tokens} tokens. */
    public long wantedBytes(int tokens) {
        int total = size() + tokens;
        return flushed(tokens) == 0
                ? keys.wantedBytes(size(), total) + values.wantedBytes(tokens)
                : keys.wantedBytes(0, total % capacity) + values.wantedBytes(0, total % capacity);
    }

    /** Makes room for what a step of {@code tokens} tokens leaves here. */
    public void reserve(int tokens, PagePool.Claim claim) {
        int total = size() + tokens;
        if (flushed(tokens) == 0) {
            keys.reserve(size(), total, claim);
            values.reserve(tokens, claim);
        } else {
            keys.reserve(0, total % capacity, claim);
            values.reserve(0, total % capacity, claim);
        }
    }

    /** Writes the keys held to {@code out}, a token's channels side by side, {@code stride} numbers from token to token. */
    public void copyKeys(float[] out, int offset, int stride, Scratch scratch) {
        float[] panel = scratch.tile(headDim * PANEL);
        for (int t = 0; t < keys.size(); t += PANEL) {
            keys.panel(t, panel, 0, PANEL);
            int tokens = Math.min(PANEL, keys.size() - t);
            Panels.transpose(panel, 0, PANEL, headDim, tokens, out, offset + t * stride, stride);
        }
    }

    /** Writes the values of tokens {@code from} to {@code to - 1}, as {@link #copyKeys} does. */
    public void copyValues(int from, int to, float[] out, int offset, int stride, Scratch scratch) {
        float[] rows = scratch.tile(capacity * headDim);
        values.copyOldest(to, rows);
        for (int t = from; t < to; t++) {
            System.arraycopy(rows, t * headDim, out, offset + t * stride, headDim);
        }
    }

    /** Forgets the keys held, whose tokens are compressed, and keeps the room. */
    public void restartKeys() {
        keys.shorten(0);
    }

    /** As {@link #restartKeys}, the values. */
    public void restartValues() {
        values.dropOldest(values.size());
        values.restart();
    }

    /** Keeps {@code count} more keys and gives back the pages that hold none. */
    public void appendKeys(float[] rows, int offset, int stride, int count, Scratch scratch) {
        keys.append(rows, offset, stride, count, scratch);
        keys.trim();
    }

    /** As {@link #appendKeys}, values. */
    public void appendValues(float[] rows, int offset, int stride, int count, Scratch scratch) {
        values.append(rows, offset, stride, count, scratch);
        values.trim();
    }

    /** Forgets all tokens from the {@code size}th on. */
    public void truncate(int size) {
        keys.truncate(size);
        values.truncate(size);
    }

    /** The pages held, as windows. */
    public Footprint footprint() {
        return keys.footprint().plus(values.footprint());
    }

    /** A second buffer with the same content, which shares this one's pages. */
    public ChunkBuffer fork() {
        return new ChunkBuffer(headDim, capacity, keys.fork(), values.fork());
    }

    /** Writes what {@link #read} needs. */
    public void write(DataOutput out) throws IOException {
        keys.write(out);
        values.write(out);
    }

    /** Fills this empty buffer with what {@link #write} wrote of {@code size} tokens, fewer than the capacity. */
    public void read(DataInput in, int size) throws IOException {
        keys.read(in, size);
        values.read(in, size);
    }

    /** Gives all pages back. */
    public void release() {
        keys.release();
        values.release();
    }
}
