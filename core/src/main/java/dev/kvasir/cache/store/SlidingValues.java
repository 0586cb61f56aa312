package dev.kvasir.cache.store;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;

/**
 * Values behind a sliding window: the newest {@code residual} tokens are exact, and each token that leaves the window is
 * quantized alone (KIVI, arXiv 2402.02750, section 3).
 *
 * <p>After a truncation fewer than {@code residual} tokens are exact until new ones have come: what is quantized stays so.
 */
public final class SlidingValues implements ValueStore {
    private static final int CHUNK = 32;

    private final PackedValues packed;
    private final ExactValues window;
    private final Element element;
    private final int headDim;
    private final int residual;
    private final ValueChain reader;

    /** A run of an empty packed store that takes tokens one by one and an empty ring of {@code residual} tokens. */
    public SlidingValues(PackedValues packed, ExactValues window, Element element, int headDim, int residual) {
        this.packed = packed;
        this.window = window;
        this.element = element;
        this.headDim = headDim;
        this.residual = residual;
        this.reader = new ValueChain(List.of(packed, window));
    }

    /** The quantized part. */
    public PackedValues packed() {
        return packed;
    }

    /** The exact part. */
    public ExactValues window() {
        return window;
    }

    /** What is quantized stays as it is. */
    @Override
    public int settled() {
        return packed.size();
    }

    @Override
    public int size() {
        return packed.size() + window.size();
    }

    /** Tokens that leave the window when {@code tokens} more come. */
    private int leaving(int tokens) {
        return Math.max(0, window.size() + tokens - residual);
    }

    @Override
    public long wantedBytes(int tokens) {
        return packed.wantedBytes(leaving(tokens)) + window.wantedBytes(tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        packed.reserve(leaving(tokens), claim);
        window.reserve(tokens, claim);
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        int leaving = leaving(count);
        int old = Math.min(leaving, window.size());
        window.moveOldest(old, packed, scratch);
        int row = 0;
        while (row < leaving - old) {
            int run = Math.min(CHUNK, leaving - old - row);
            float[] tile = scratch.tile(CHUNK * headDim);
            for (int i = 0; i < run; i++) {
                System.arraycopy(rows, offset + (row + i) * stride, tile, i * headDim, headDim);
            }
            element.round(tile, 0, run * headDim);
            packed.append(tile, 0, headDim, run, scratch);
            row += run;
        }
        window.skip(row);
        window.append(rows, offset + row * stride, stride, count - row, scratch);
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
        reader.addWeighted(weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
    }

    /** What is quantized stays: only the window can be forgotten. */
    @Override
    public int smallestSize() {
        return packed.size();
    }

    @Override
    public void truncate(int newSize) {
        window.truncate(newSize - packed.size());
    }

    @Override
    public Footprint footprint() {
        return packed.footprint().plus(window.footprint());
    }

    @Override
    public SlidingValues fork() {
        return new SlidingValues(packed.fork(), window.fork(), element, headDim, residual);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        out.writeInt(packed.size());
        packed.write(out);
        window.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int quantized = in.readInt();
        // A rollback may have shortened the window, but never by more than it held.
        if (quantized < Math.max(0, size - residual) || quantized > size) {
            throw new CacheFileException("quantized values: found " + quantized + ", allowed are "
                    + Math.max(0, size - residual) + " to " + size);
        }
        packed.read(in, quantized);
        window.read(in, quantized, size - quantized);
    }

    @Override
    public void release() {
        packed.release();
        window.release();
    }
}
