package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;

/** Keys whose newest tokens are exact, while another store has those before them. */
public final class RecentKeys implements RowKeys {
    private final RowKeys rest;
    private final WindowRows all;
    private final Kernels kernels;
    private final int headDim;
    private final KeyChain reader;

    /** The newest {@code recent} tokens, at least 1, before the empty {@code rest}. */
    public RecentKeys(RowKeys rest, PagePool pool, Kernels kernels, Element element, int headDim, int recent) {
        this(rest, new WindowRows(rest, pool, kernels, element, headDim, recent), kernels, headDim);
    }

    private RecentKeys(RowKeys rest, WindowRows all, Kernels kernels, int headDim) {
        this.rest = rest;
        this.all = all;
        this.kernels = kernels;
        this.headDim = headDim;
        this.reader = new KeyChain(headDim, List.of(rest, new Ring()));
    }

    /** Bytes of the exact ones among {@code tokens} tokens. */
    public static long bytes(Element element, int headDim, int recent, int tokens) {
        return ExactValues.bytes(element, headDim, recent, recent, tokens);
    }

    @Override
    public int size() {
        return all.size();
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

    @Override
    public long wantedBytes(int tokens) {
        return all.wantedBytes(tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        all.reserve(tokens, claim);
    }

    @Override
    public long wantedBytesForAll(int tokens) {
        return all.wantedBytesForAll(tokens);
    }

    @Override
    public void reserveAll(int tokens, PagePool.Claim claim) {
        all.reserveAll(tokens, claim);
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        all.append(rows, offset, stride, count, scratch);
    }

    @Override
    public void row(int slot, float[] out, int offset, Scratch scratch) {
        all.row(slot, out, offset, scratch);
    }

    @Override
    public void replace(int slot, float[] row, int offset, Scratch scratch) {
        all.replace(slot, row, offset, scratch);
    }

    @Override
    public boolean isMovable() {
        return all.isMovable();
    }

    @Override
    public void move(int from, int to) {
        all.move(from, to);
    }

    @Override
    public void keep(int[] kept, int count) {
        all.keep(kept, count);
    }

    @Override
    public void shorten(int size) {
        all.shorten(size);
    }

    @Override
    public void trim() {
        all.trim();
    }

    @Override
    public int smallestSize() {
        return all.smallestSize();
    }

    @Override
    public void truncate(int size) {
        all.truncate(size);
    }

    @Override
    public Footprint footprint() {
        return all.footprint();
    }

    @Override
    public RecentKeys fork() {
        RowKeys restsFork = rest.fork();
        return new RecentKeys(restsFork, all.fork(restsFork), kernels, headDim);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        all.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        all.read(in, size);
    }

    @Override
    public void release() {
        all.release();
    }

    private final class Ring implements KeyReader {
        @Override
        public int size() {
            return all.ring().size();
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
            float[] keys = scratch.tile((to - from) * headDim);
            for (int slot = from; slot < to; slot++) {
                all.ring().row(slot, keys, (slot - from) * headDim, scratch);
            }
            for (int r = 0; r < rows; r++) {
                for (int t = 0; t < to - from; t++) {
                    out[outOffset + r * outStride + t] =
                            kernels.dot(queries, queryOffset + r * headDim, keys, t * headDim, headDim);
                }
            }
        }
    }
}
