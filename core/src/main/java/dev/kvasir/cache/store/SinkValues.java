package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;

/** Values whose first tokens stay exact while another store takes the rest: the other half of {@link SinkKeys}. */
public final class SinkValues implements ValueStore {
    private final ValueStore rest;
    private final FirstRows sinks;
    private final Kernels kernels;
    private final int headDim;
    private final ValueChain reader;

    /** An empty store before the empty {@code rest}. */
    public SinkValues(ValueStore rest, PagePool pool, Kernels kernels, Element element, int headDim, int sinks) {
        this(rest, new FirstRows(pool, kernels, element, headDim, sinks), kernels, headDim);
    }

    private SinkValues(ValueStore rest, FirstRows sinks, Kernels kernels, int headDim) {
        this.rest = rest;
        this.sinks = sinks;
        this.kernels = kernels;
        this.headDim = headDim;
        this.reader = new ValueChain(List.of(rest, new Sinks()));
    }

    /** The store of all others. */
    public ValueStore rest() {
        return rest;
    }

    /** The values of the sinks, {@code [sinks][headDim]}. */
    public float[] sinks() {
        float[] rows = new float[sinks.count() * headDim];
        if (rows.length > 0) {
            sinks.read(0, sinks.count(), rows);
        }
        return rows;
    }

    @Override
    public boolean keepsOrder() {
        return false;
    }

    @Override
    public int size() {
        return rest.size() + sinks.count();
    }

    @Override
    public long wantedBytes(int tokens) {
        return sinks.wantedBytes(tokens) + rest.wantedBytes(tokens - sinks.room(tokens));
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        sinks.reserve(tokens, claim);
        rest.reserve(tokens - sinks.room(tokens), claim);
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        int first = sinks.room(count);
        sinks.append(rows, offset, stride, first);
        if (count > first) {
            rest.append(rows, offset + first * stride, stride, count - first, scratch);
        }
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
        int smallest = rest.smallestSize();
        return smallest == 0 ? 0 : sinks.capacity() + smallest;
    }

    @Override
    public void truncate(int newSize) {
        rest.truncate(Math.max(0, newSize - sinks.capacity()));
        sinks.truncate(newSize);
    }

    @Override
    public Footprint footprint() {
        return rest.footprint().plus(sinks.footprint());
    }

    @Override
    public SinkValues fork() {
        return new SinkValues(rest.fork(), sinks.fork(), kernels, headDim);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        sinks.write(out);
        rest.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int first = Math.min(size, sinks.capacity());
        sinks.read(in, first);
        rest.read(in, size - first);
    }

    @Override
    public void release() {
        sinks.truncate(0);
        rest.release();
    }

    private final class Sinks implements ValueReader {
        @Override
        public int size() {
            return sinks.count();
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
            int count = to - from;
            float[] tile = scratch.tile(count * headDim);
            sinks.read(from, to, tile);
            kernels.sums(
                    weights,
                    weightOffset,
                    weightStride,
                    rows,
                    tile,
                    0,
                    headDim,
                    count,
                    headDim,
                    out,
                    outOffset,
                    headDim);
        }
    }
}
