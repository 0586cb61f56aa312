package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;

/**
 * Values behind a residual, as {@link FlushingKeys}: for values quantized per channel, whose groups of tokens must be
 * complete before they can be made.
 */
public final class FlushingValues implements ValueStore {
    private final BlockValues packed;
    private final ExactValues window;
    private final Element element;
    private final int headDim;
    private final int residual;
    private final int unit;
    private final ValueChain reader;

    /** A run of an empty packed store and an empty ring of {@code residual} tokens. */
    public FlushingValues(BlockValues packed, ExactValues window, Element element, int headDim, int residual) {
        this(packed, window, element, headDim, residual, residual);
    }

    /** As above, with a unit, a multiple of the packed store's block, that divides the residual. */
    public FlushingValues(
            BlockValues packed, ExactValues window, Element element, int headDim, int residual, int unit) {
        this.packed = packed;
        this.window = window;
        this.element = element;
        this.headDim = headDim;
        this.residual = residual;
        this.unit = unit;
        this.reader = new ValueChain(List.of(packed, window));
    }

    /** The quantized part. */
    public BlockValues packed() {
        return packed;
    }

    /** The exact part. */
    public ExactValues window() {
        return window;
    }

    @Override
    public boolean keepsOrder() {
        return packed.keepsOrder();
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

    @Override
    public long wantedBytes(int tokens) {
        return packed.wantedBytes(flushed(tokens)) + window.wantedBytes(windowFrom(tokens), windowTo(tokens));
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        packed.reserve(flushed(tokens), claim);
        window.reserve(windowFrom(tokens), windowTo(tokens), claim);
    }

    private int flushed(int tokens) {
        int total = window.size() + tokens;
        return tokens >= unit || total >= residual ? total / unit * unit : 0;
    }

    private int windowFrom(int tokens) {
        return flushed(tokens) > 0 ? 0 : window.size();
    }

    private int windowTo(int tokens) {
        int flushed = flushed(tokens);
        int filled = flushed > 0 ? Math.ceilDiv(window.size(), unit) * unit : 0;
        return Math.max(filled, window.size() + tokens - flushed);
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        int left = flushed(count);
        packed.expect(left);
        int row = 0;
        if (left > 0 && window.size() > 0) {
            row = Math.ceilDiv(window.size(), unit) * unit - window.size();
            window.append(rows, offset, stride, row, scratch);
            left -= window.size();
            flush(scratch);
        }
        for (; left > 0; left -= unit, row += unit) {
            quantize(rows, offset + row * stride, stride, scratch);
        }
        window.append(rows, offset + row * stride, stride, count - row, scratch);
        window.trim();
    }

    private void quantize(float[] rows, int offset, int stride, Scratch scratch) {
        int block = packed.block();
        for (int t = 0; t < unit; t += block) {
            float[] tile = scratch.tile(headDim * block);
            for (int i = 0; i < block; i++) {
                System.arraycopy(rows, offset + (t + i) * stride, tile, i * headDim, headDim);
            }
            element.round(tile, 0, headDim * block);
            packed.append(tile, 0, headDim, block, scratch);
        }
    }

    private void flush(Scratch scratch) {
        int block = packed.block();
        while (window.size() > 0) {
            float[] tile = scratch.tile(headDim * block);
            window.copyOldest(block, tile);
            packed.append(tile, 0, headDim, block, scratch);
            window.dropOldest(block);
        }
        window.restart();
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
    public FlushingValues fork() {
        return new FlushingValues(packed.fork(), window.fork(), element, headDim, residual, unit);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        FlushingKeys.writeLeft(out, window.size(), residual, unit);
        packed.write(out);
        window.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int left = FlushingKeys.readLeft(in, size, residual, unit);
        packed.read(in, size - left);
        window.read(in, left);
    }

    @Override
    public void release() {
        packed.release();
        window.release();
    }
}
