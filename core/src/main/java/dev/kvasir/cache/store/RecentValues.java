package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;

/** Values whose newest tokens are exact, while another store has those before them; it sums in the basis it is given. */
public final class RecentValues implements RowValues {
    private final RowValues rest;
    private final WindowRows all;
    private final ValueChain reader;

    /** The newest {@code recent} tokens, at least 1, before the empty {@code rest}. */
    public RecentValues(RowValues rest, PagePool pool, Kernels kernels, Element element, int headDim, int recent) {
        this(rest, new WindowRows(rest, pool, kernels, element, headDim, recent));
    }

    private RecentValues(RowValues rest, WindowRows all) {
        this.rest = rest;
        this.all = all;
        this.reader = new ValueChain(List.of(rest, all.ring()));
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
    public RecentValues fork() {
        RowValues restsFork = rest.fork();
        return new RecentValues(restsFork, all.fork(restsFork));
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
}
