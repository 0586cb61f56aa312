package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;

/**
 * Keys whose first tokens, the attention sinks, stay exact while another store takes the rest. The sinks have the last slots,
 * so that the others keep whole pages in whole tiles.
 */
public final class SinkKeys implements KeyStore {
    private final KeyStore rest;
    private final FirstRows sinks;
    private final Kernels kernels;
    private final int headDim;
    private final KeyChain reader;

    /** An empty store before the empty {@code rest}. */
    public SinkKeys(KeyStore rest, PagePool pool, Kernels kernels, Element element, int headDim, int sinks) {
        this(rest, new FirstRows(pool, kernels, element, headDim, sinks), kernels, headDim);
    }

    private SinkKeys(KeyStore rest, FirstRows sinks, Kernels kernels, int headDim) {
        this.rest = rest;
        this.sinks = sinks;
        this.kernels = kernels;
        this.headDim = headDim;
        this.reader = new KeyChain(headDim, List.of(rest, new Sinks()));
    }

    /** Bytes of the sinks among {@code tokens} tokens. */
    public static long bytes(Element element, int headDim, int sinks, int tokens) {
        return FirstRows.bytes(element, headDim, sinks, tokens);
    }

    /** The store of all others. */
    public KeyStore rest() {
        return rest;
    }

    /** The keys of the sinks, {@code [sinks][headDim]}. */
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
    public SinkKeys fork() {
        return new SinkKeys(rest.fork(), sinks.fork(), kernels, headDim);
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

    private final class Sinks implements KeyReader {
        @Override
        public int size() {
            return sinks.count();
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
            sinks.read(from, to, keys);
            for (int r = 0; r < rows; r++) {
                for (int t = 0; t < to - from; t++) {
                    out[outOffset + r * outStride + t] =
                            kernels.dot(queries, queryOffset + r * headDim, keys, t * headDim, headDim);
                }
            }
        }
    }
}
