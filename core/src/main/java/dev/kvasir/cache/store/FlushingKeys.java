package dev.kvasir.cache.store;

import static dev.kvasir.cache.kernel.Kernels.PANEL;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;

/**
 * Keys behind a residual: the newest {@code size mod residual} tokens are exact; whenever {@code residual} of them have
 * gathered, all are quantized at once and the residual is empty (KIVI, arXiv 2402.02750, section 3).
 *
 * <p>Every key is rounded to the residual's element type before it is quantized, so a token's codes do not depend on
 * whether it came alone or in a prompt.
 */
public final class FlushingKeys implements KeyStore {
    private final BlockKeys packed;
    private final ExactKeys window;
    private final Element element;
    private final int headDim;
    private final int residual;
    private final KeyChain reader;

    /** A run of an empty packed store and an empty window whose pages hold {@code residual} tokens or a part of them. */
    public FlushingKeys(BlockKeys packed, ExactKeys window, Element element, int headDim, int residual) {
        this.packed = packed;
        this.window = window;
        this.element = element;
        this.headDim = headDim;
        this.residual = residual;
        this.reader = new KeyChain(headDim, List.of(packed, window));
    }

    /** The quantized part. */
    public BlockKeys packed() {
        return packed;
    }

    /** The exact part. */
    public ExactKeys window() {
        return window;
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

    /** Tokens that the next {@code tokens} tokens push out of the window. */
    private int flushed(int tokens) {
        return (window.size() + tokens) / residual * residual;
    }

    /** First window slot that the next tokens write to: 0 if some follow a flush. */
    private int windowFrom(int tokens) {
        return flushed(tokens) > 0 ? 0 : window.size();
    }

    /** The most window slots in use on the way: a whole residual if a begun window fills up. */
    private int windowTo(int tokens) {
        int total = window.size() + tokens;
        return window.size() > 0 ? Math.min(total, residual) : total % residual;
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

    /** Quantizes a residual's worth of tokens that never see the window. */
    private void quantize(float[] rows, int offset, int stride, Scratch scratch) {
        int block = packed.block() == 1 ? PANEL : packed.block();
        float[] tile = scratch.tile(headDim * block);
        for (int t = 0; t < residual; t += block) {
            Panels.transpose(rows, offset + t * stride, stride, block, headDim, tile, block);
            element.round(tile, 0, headDim * block);
            packed.appendColumns(tile, 0, block, block, scratch);
        }
    }

    private void flush(Scratch scratch) {
        int block = packed.block() == 1 ? PANEL : packed.block();
        float[] tile = scratch.tile(headDim * block);
        for (int t = 0; t < residual; t += block) {
            for (int panel = 0; panel < block; panel += PANEL) {
                window.panel(t + panel, tile, panel, block);
            }
            packed.appendColumns(tile, 0, block, block, scratch);
        }
        window.clear();
    }

    @Override
    public int queryWidth(int width) {
        return reader.queryWidth(width);
    }

    @Override
    public void prepare(float[] queries, int offset, int rows, int width, float[] out, int outOffset, Scratch scratch) {
        reader.prepare(queries, offset, rows, width, out, outOffset, scratch);
    }

    @Override
    public void scores(
            float[] queries,
            int queryOffset,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        reader.scores(queries, queryOffset, rows, from, to, out, outOffset, outStride, scratch);
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
    public FlushingKeys fork() {
        return new FlushingKeys(packed.fork(), window.fork(), element, headDim, residual);
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
