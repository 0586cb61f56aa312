package dev.kvasir.cache.method.mikv;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.RowKeys;
import dev.kvasir.cache.store.Scratch;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** Packed keys of one head, stored balanced: rows are multiplied by b on their way in, queries divided by it. */
record BalancedKeys(PackedKeys packed, Balancer balancer, int kvHead, int headDim) implements RowKeys {
    @Override
    public int size() {
        return packed.size();
    }

    @Override
    public void prepare(float[] queries, int offset, int rows, int width, float[] out, int outOffset, Scratch scratch) {
        for (int r = 0; r < rows; r++) {
            balancer.unbalance(kvHead, queries, offset + r * width, out, outOffset + r * width);
        }
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
        packed.scores(queries, queryOffset, rows, from, to, out, outOffset, outStride, scratch);
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        float[] balanced = scratch.spare(count * headDim);
        for (int i = 0; i < count; i++) {
            balancer.balance(kvHead, rows, offset + i * stride, balanced, i * headDim);
        }
        packed.append(balanced, 0, headDim, count, scratch);
    }

    @Override
    public void row(int slot, float[] out, int offset, Scratch scratch) {
        packed.row(slot, out, offset, scratch);
        balancer.unbalance(kvHead, out, offset, out, offset);
    }

    @Override
    public void shorten(int size) {
        packed.shorten(size);
    }

    @Override
    public void trim() {
        packed.trim();
    }

    @Override
    public void move(int from, int to) {
        packed.move(from, to);
    }

    @Override
    public void replace(int slot, float[] row, int offset, Scratch scratch) {
        float[] balanced = scratch.spare(headDim);
        balancer.balance(kvHead, row, offset, balanced, 0);
        packed.replace(slot, balanced, 0, scratch);
    }

    @Override
    public long wantedBytes(int tokens) {
        return packed.wantedBytes(tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        packed.reserve(tokens, claim);
    }

    @Override
    public long wantedBytesForAll(int tokens) {
        return packed.wantedBytesForAll(tokens);
    }

    @Override
    public void reserveAll(int tokens, PagePool.Claim claim) {
        packed.reserveAll(tokens, claim);
    }

    @Override
    public int smallestSize() {
        return packed.smallestSize();
    }

    @Override
    public void truncate(int size) {
        packed.truncate(size);
    }

    /** Of the packed keys: the factors belong to the layer. */
    @Override
    public Footprint footprint() {
        return packed.footprint();
    }

    @Override
    public BalancedKeys fork() {
        return fork(balancer);
    }

    /** A fork that meets the fork of the factors. */
    BalancedKeys fork(Balancer forked) {
        return new BalancedKeys(packed.fork(), forked, kvHead, headDim);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        packed.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        packed.read(in, size);
    }

    @Override
    public void release() {
        packed.release();
    }
}
