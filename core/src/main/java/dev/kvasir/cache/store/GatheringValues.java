package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;

/**
 * Values that come in runs of any length and are quantized as soon as a block of them has gathered; what has begun a block is
 * exact. After the last run of a step whoever gives them {@linkplain #trim trims}.
 */
public final class GatheringValues implements ValueStore {
    private final PackedValues packed;
    private final ExactValues begun;
    private final int headDim;
    private final ValueChain reader;

    /** A run of an empty packed store and an empty ring of a block. */
    public GatheringValues(PackedValues packed, ExactValues begun, int headDim) {
        this.packed = packed;
        this.begun = begun;
        this.headDim = headDim;
        this.reader = new ValueChain(List.of(packed, begun));
    }

    /** The quantized part, which takes whole blocks itself while no other has begun. */
    public PackedValues packed() {
        return packed;
    }

    /** The exact part. */
    public ExactValues begun() {
        return begun;
    }

    /** What is quantized stays as it is. */
    @Override
    public int settled() {
        return packed.size();
    }

    @Override
    public int size() {
        return packed.size() + begun.size();
    }

    private int whole(int tokens) {
        return (begun.size() + tokens) / packed.block() * packed.block();
    }

    private int from(int tokens) {
        return whole(tokens) > 0 ? 0 : begun.size();
    }

    private int to(int tokens) {
        return Math.min(begun.size() + tokens, packed.block());
    }

    @Override
    public long wantedBytes(int tokens) {
        return packed.wantedBytes(whole(tokens)) + begun.wantedBytes(from(tokens), to(tokens));
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        packed.reserve(whole(tokens), claim);
        begun.reserve(from(tokens), to(tokens), claim);
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        int block = packed.block();
        int row = 0;
        while (row < count) {
            int run = Math.min(count - row, block - begun.size());
            begun.append(rows, offset + row * stride, stride, run, scratch);
            row += run;
            if (begun.size() == block) {
                float[] tile = scratch.tile(block * headDim);
                begun.copyOldest(block, tile);
                packed.append(tile, 0, headDim, block, scratch);
                begun.dropOldest(block);
                begun.restart();
            }
        }
    }

    /** Gives back the pages that hold no token. */
    public void trim() {
        begun.trim();
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
        begun.truncate(newSize - packed.size());
    }

    @Override
    public Footprint footprint() {
        return packed.footprint().plus(begun.footprint());
    }

    @Override
    public GatheringValues fork() {
        return new GatheringValues(packed.fork(), begun.fork(), headDim);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        packed.write(out);
        begun.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int left = size % packed.block();
        packed.read(in, size - left);
        begun.read(in, left);
    }

    @Override
    public void release() {
        packed.release();
        begun.release();
    }
}
