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
    private final ValueChain reader;

    /** A run of an empty packed store and an empty ring of {@code residual} tokens. */
    public FlushingValues(BlockValues packed, ExactValues window, Element element, int headDim, int residual) {
        this.packed = packed;
        this.window = window;
        this.element = element;
        this.headDim = headDim;
        this.residual = residual;
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
    public int size() {
        return packed.size() + window.size();
    }

    @Override
    public long wantedBytes(int tokens) {
        return packed.wantedBytes(flushed(tokens)) + window.wantedBytes(windowed(tokens));
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        packed.reserve(flushed(tokens), claim);
        window.reserve(windowed(tokens), claim);
    }

    private int flushed(int tokens) {
        return (window.size() + tokens) / residual * residual;
    }

    /** Tokens that pass through the ring: those that fill it up, then those left over. */
    private int windowed(int tokens) {
        int total = window.size() + tokens;
        if (total < residual) {
            return tokens;
        }
        return window.size() == 0 ? total % residual : residual - window.size() + total % residual;
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        packed.expect(flushed(count));
        int row = 0;
        while (row < count) {
            int from = offset + row * stride;
            if (window.size() == 0 && count - row >= residual) {
                quantize(rows, from, stride, scratch);
                row += residual;
            } else {
                int run = Math.min(count - row, residual - window.size());
                window.append(rows, from, stride, run, scratch);
                row += run;
                if (window.size() == residual) {
                    flush(scratch);
                }
            }
        }
        window.trim();
    }

    private void quantize(float[] rows, int offset, int stride, Scratch scratch) {
        int block = packed.block();
        for (int t = 0; t < residual; t += block) {
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
        for (int t = 0; t < residual; t += block) {
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
        return new FlushingValues(packed.fork(), window.fork(), element, headDim, residual);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        packed.write(out);
        window.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int left = size % residual;
        packed.read(in, size - left);
        window.read(in, left);
    }

    @Override
    public void release() {
        packed.release();
        window.release();
    }
}
