package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.tensor.RotaryBlock;
import java.io.DataInput;
import java.io.DataOutput;

/** The outliers of a store that keeps none. */
final class NoOutliers implements Outliers {
    @Override
    public long wantedBytes(int more) {
        return 0;
    }

    @Override
    public void reserve(int more, PagePool.Claim claim) {}

    @Override
    public void append(int[] channels, float[] deltas, int count) {
        if (count > 0) {
            throw new IllegalArgumentException(count + " outliers for no slots");
        }
    }

    @Override
    public void trim() {}

    @Override
    public void addTo(int channelFrom, int channelTo, int slot, float[] tile, Scratch scratch) {}

    @Override
    public void addTurned(
            int channelFrom,
            int channelTo,
            int slot,
            RotaryBlock rotary,
            float[] query,
            float[] out,
            int outOffset,
            Scratch scratch) {}

    @Override
    public void addWeighted(
            int channelFrom,
            int channelTo,
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch) {}

    @Override
    public void truncate(int size) {}

    @Override
    public Footprint footprint() {
        return Footprint.ZERO;
    }

    @Override
    public NoOutliers fork() {
        return this;
    }

    @Override
    public void write(DataOutput out) {}

    @Override
    public void read(DataInput in, int size) {}

    @Override
    public void release() {}
}
