package dev.kvasir.cache.store;

import static dev.kvasir.cache.kernel.Kernels.PANEL;

import dev.kvasir.cache.CacheFileException;
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
 * <p>With a unit smaller than the residual, a step of a unit or more, a prompt, is quantized at once but for what is left over
 * from whole units (VidKV, arXiv 2503.16257).
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
    private final int unit;
    private final KeyChain reader;

    /** A run of an empty packed store and an empty window whose pages hold {@code residual} tokens or a part of them. */
    public FlushingKeys(BlockKeys packed, ExactKeys window, Element element, int headDim, int residual) {
        this(packed, window, element, headDim, residual, residual);
    }

    /** As above, with a unit, a multiple of 32 and of the packed store's block, that divides the residual. */
    public FlushingKeys(BlockKeys packed, ExactKeys window, Element element, int headDim, int residual, int unit) {
        this.packed = packed;
        this.window = window;
        this.element = element;
        this.headDim = headDim;
        this.residual = residual;
        this.unit = unit;
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

    /** Tokens that the next {@code tokens} tokens push out of the window: all that was in it is among them, if any are. */
    public int flushed(int tokens) {
        int total = window.size() + tokens;
        return tokens >= unit || total >= residual ? total / unit * unit : 0;
    }

    /** First window slot that the next tokens write to: 0 if some follow a flush. */
    private int windowFrom(int tokens) {
        return flushed(tokens) > 0 ? 0 : window.size();
    }

    /** The most window slots in use on the way: a begun window fills up to whole units before it is flushed. */
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

    /** Quantizes a unit of tokens that never see the window. */
    private void quantize(float[] rows, int offset, int stride, Scratch scratch) {
        int block = packed.block() == 1 ? PANEL : packed.block();
        float[] tile = scratch.tile(headDim * block);
        for (int t = 0; t < unit; t += block) {
            Panels.transpose(rows, offset + t * stride, stride, block, headDim, tile, block);
            element.round(tile, 0, headDim * block);
            packed.appendColumns(tile, 0, block, block, scratch);
        }
    }

    private void flush(Scratch scratch) {
        int block = packed.block() == 1 ? PANEL : packed.block();
        float[] tile = scratch.tile(headDim * block);
        for (int t = 0; t < window.size(); t += block) {
            for (int panel = 0; panel < block; panel += PANEL) {
                window.panel(t + panel, tile, panel, block);
            }
            packed.appendColumns(tile, 0, block, block, scratch);
        }
        window.shorten(0);
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
        return new FlushingKeys(packed.fork(), window.fork(), element, headDim, residual, unit);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        writeLeft(out, window.size(), residual, unit);
        packed.write(out);
        window.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int left = readLeft(in, size, residual, unit);
        packed.read(in, size - left);
        window.read(in, left);
    }

    /** Writes the size of a window where it does not follow from that of the store. */
    static void writeLeft(DataOutput out, int left, int residual, int unit) throws IOException {
        if (unit < residual) {
            out.writeInt(left);
        }
    }

    static int readLeft(DataInput in, int size, int residual, int unit) throws IOException {
        int left = unit < residual ? in.readInt() : size % residual;
        if (left < 0 || left > Math.min(size, residual - 1) || (size - left) % unit != 0) {
            throw new CacheFileException("exact tokens: found " + left + " of " + size + ", allowed are those below "
                    + residual + " that leave a multiple of " + unit);
        }
        return left;
    }

    @Override
    public void release() {
        packed.release();
        window.release();
    }
}
