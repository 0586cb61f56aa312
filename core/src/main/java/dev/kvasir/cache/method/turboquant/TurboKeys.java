package dev.kvasir.cache.method.turboquant;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.store.KeyStore;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.Panels;
import dev.kvasir.cache.store.Scratch;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys as rotated codes and a length, and perhaps the signs of a projection of what the codes missed and its length:
 *
 * <pre>
 *   score = |k| &lt;R q, codes&gt; + constant |residual| &lt;S R q, signs&gt;
 * </pre>
 *
 * for each part of the channels. A query is brought to {@code R q} and {@code S R q} once a step; no key is ever turned back.
 */
final class TurboKeys implements KeyStore {
    private static final float[] NONE = {};
    private static final int PANEL = Kernels.PANEL;

    private final Kernels kernels;
    private final List<TurboPart> parts;
    private final TurboBasis basis;
    private final int headDim;
    /** Of each part: its codes, and its signs if it has a sketch. */
    private final List<PackedKeys> codes;

    private final List<PackedKeys> signs;

    TurboKeys(PagePool pool, Kernels kernels, List<TurboPart> parts, int headDim) {
        this(
                kernels,
                parts,
                new TurboBasis(parts, headDim),
                headDim,
                parts.stream()
                        .map(part -> new PackedKeys(pool, kernels, part.keys()))
                        .toList(),
                parts.stream()
                        .flatMap(part -> part.sketch().stream())
                        .map(sketch -> new PackedKeys(pool, kernels, sketch.signs()))
                        .toList());
    }

    private TurboKeys(
            Kernels kernels,
            List<TurboPart> parts,
            TurboBasis basis,
            int headDim,
            List<PackedKeys> codes,
            List<PackedKeys> signs) {
        this.kernels = kernels;
        this.parts = parts;
        this.basis = basis;
        this.headDim = headDim;
        this.codes = codes;
        this.signs = signs;
    }

    /** The codes of a part. */
    PackedKeys codes(int part) {
        return codes.get(part);
    }

    private List<PackedKeys> stores() {
        List<PackedKeys> all = new ArrayList<>(codes);
        all.addAll(signs);
        return all;
    }

    @Override
    public int size() {
        return codes.getFirst().size();
    }

    @Override
    public long wantedBytes(int tokens) {
        long wanted = 0;
        for (int i = 0; i < parts.size(); i++) {
            wanted += codes.get(i).wantedBytes(tokens);
            wanted += signs.isEmpty() ? 0 : signs.get(i).wantedBytes(tokens);
        }
        return wanted;
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        for (PackedKeys store : stores()) {
            store.reserve(tokens, claim);
        }
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        if (!basis.decided()) {
            basis.decide(rows, offset, stride, count);
        }
        int row = 0;
        while (row < count) {
            int run = Math.min(count - row, PANEL - size() % PANEL);
            int channel = 0;
            for (int i = 0; i < parts.size(); i++) {
                append(i, channel, rows, offset + row * stride, stride, run, scratch);
                channel += parts.get(i).width();
            }
            row += run;
        }
    }

    /** One part of up to 32 tokens that end at or before the end of a panel. */
    private void append(int i, int channel, float[] rows, int offset, int stride, int count, Scratch scratch) {
        TurboPart part = parts.get(i);
        int width = part.width();
        int panel = width * PANEL;
        // Rows of the part, the same as columns, lengths.
        float[] spare = scratch.spare(2 * panel + PANEL);
        int lengths = 2 * panel;
        basis.gather(channel, width, rows, offset, stride, count, spare, 0);
        lengths(spare, width, count, 1, spare, lengths);
        part.rotation().apply(spare, 0, count);
        Panels.transpose(spare, 0, width, count, width, spare, panel, PANEL);
        PackedKeys store = codes.get(i);
        int first = store.size();
        store.appendGiven(spare, panel, PANEL, count, spare, NONE, lengths, scratch);
        if (part.sketch().isPresent()) {
            residual(store, first, width, count, spare, scratch);
            sketch(part.sketch().get(), signs.get(i), width, count, spare, scratch);
        }
    }

    /** Replaces the rows of the spare buffer by what the codes missed of its columns. */
    private void residual(PackedKeys store, int first, int width, int count, float[] spare, Scratch scratch) {
        float[] tile = scratch.tile(width * PANEL);
        int skipped = first % PackedLayout.UNIT;
        store.unpack(first - skipped, first + count, tile, 0, PANEL, scratch);
        for (int t = 0; t < count; t++) {
            for (int c = 0; c < width; c++) {
                spare[t * width + c] = spare[(width + c) * PANEL + t] - tile[c * PANEL + skipped + t];
            }
        }
    }

    /** Stores the signs of the projected rows of the spare buffer, and the rows' lengths. */
    private void sketch(
            TurboPart.Sketch sketch, PackedKeys store, int width, int count, float[] spare, Scratch scratch) {
        int panel = width * PANEL;
        int lengths = 2 * panel;
        lengths(spare, width, count, sketch.constant(), spare, lengths);
        sketch.projection().apply(spare, 0, count);
        Panels.transpose(spare, 0, width, count, width, spare, panel, PANEL);
        store.appendGiven(spare, panel, PANEL, count, spare, NONE, lengths, scratch);
    }

    private void lengths(float[] rows, int width, int count, float factor, float[] out, int at) {
        for (int t = 0; t < count; t++) {
            float squares = kernels.dot(rows, t * width, rows, t * width, width);
            out[at + t] = factor * (float) Math.sqrt(squares);
        }
    }

    /** Each part's {@code R q} and {@code S R q}: {@code [parts][rows][width]}, doubled where there is a sketch. */
    @Override
    public int queryWidth(int width) {
        return signs.isEmpty() ? width : 2 * width;
    }

    @Override
    public void prepare(float[] queries, int offset, int rows, int width, float[] out, int outOffset, Scratch scratch) {
        int at = outOffset;
        int channel = 0;
        for (TurboPart part : parts) {
            int size = rows * part.width();
            if (basis.decided()) {
                basis.gather(channel, part.width(), queries, offset, width, rows, out, at);
                part.rotation().applyToQueries(out, at, rows);
            }
            if (part.sketch().isPresent()) {
                System.arraycopy(out, at, out, at + size, size);
                part.sketch().get().projection().applyToQueries(out, at + size, rows);
                at += size;
            }
            at += size;
            channel += part.width();
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
        int query = queryOffset;
        for (int i = 0; i < parts.size(); i++) {
            int size = rows * parts.get(i).width();
            if (i == 0) {
                codes.get(0).scores(queries, query, rows, from, to, out, outOffset, outStride, scratch);
            } else {
                add(codes.get(i), queries, query, rows, from, to, out, outOffset, outStride, scratch);
            }
            query += size;
            if (!signs.isEmpty()) {
                add(signs.get(i), queries, query, rows, from, to, out, outOffset, outStride, scratch);
                query += size;
            }
        }
    }

    private static void add(
            PackedKeys store,
            float[] queries,
            int queryOffset,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        int stride = to - from + PANEL;
        float[] more = scratch.spare(rows * stride);
        store.scores(queries, queryOffset, rows, from, to, more, 0, stride, scratch);
        for (int r = 0; r < rows; r++) {
            int o = outOffset + r * outStride;
            for (int t = 0; t < to - from; t++) {
                out[o + t] += more[r * stride + t];
            }
        }
    }

    @Override
    public int smallestSize() {
        return 0;
    }

    @Override
    public void truncate(int newSize) {
        stores().forEach(store -> store.truncate(newSize));
        if (newSize == 0 && parts.size() > 1) {
            basis.order(new int[0]);
        }
    }

    @Override
    public Footprint footprint() {
        Footprint sum = Footprint.ZERO;
        for (PackedKeys store : stores()) {
            sum = sum.plus(store.footprint());
        }
        return sum;
    }

    @Override
    public TurboKeys fork() {
        return new TurboKeys(
                kernels,
                parts,
                basis.copy(),
                headDim,
                codes.stream().map(PackedKeys::fork).toList(),
                signs.stream().map(PackedKeys::fork).toList());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        writeOrder(basis, parts, out);
        for (PackedKeys store : stores()) {
            store.write(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        readOrder(basis, parts, headDim, size, in);
        for (PackedKeys store : stores()) {
            store.read(in, size);
        }
    }

    /** The channels of the first part, where there is more than one. */
    static void writeOrder(TurboBasis basis, List<TurboPart> parts, DataOutput out) throws IOException {
        if (parts.size() > 1 && basis.decided()) {
            for (int channel : basis.order()) {
                out.writeShort(channel);
            }
        }
    }

    static void readOrder(TurboBasis basis, List<TurboPart> parts, int headDim, int size, DataInput in)
            throws IOException {
        if (parts.size() == 1 || size == 0) {
            return;
        }
        int[] order = new int[headDim];
        boolean[] seen = new boolean[headDim];
        for (int i = 0; i < headDim; i++) {
            int channel = in.readUnsignedShort();
            if (channel >= headDim || seen[channel]) {
                throw new CacheFileException("channel " + i + " of the order: found " + channel
                        + ", allowed is each of 0 to " + (headDim - 1) + " once");
            }
            seen[channel] = true;
            order[i] = channel;
        }
        basis.order(order);
    }

    @Override
    public void release() {
        stores().forEach(PackedKeys::release);
    }
}
