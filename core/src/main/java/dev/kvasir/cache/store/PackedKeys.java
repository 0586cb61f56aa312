package dev.kvasir.cache.store;

import static dev.kvasir.cache.kernel.Kernels.PANEL;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.tensor.RotaryBlock;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Keys as codes of a few bits: lanes are tokens, the depth runs over channels.
 *
 * <p>{@link Axis#PER_DEPTH} is a scale for each channel and group of tokens (per-channel keys): tokens come and go in
 * whole blocks, unless no scale is stored. {@link Axis#PER_LANE} is a scale for each token and group of channels: tokens come one by one.
 */
public final class PackedKeys implements BlockKeys, RowKeys {
    private final Kernels kernels;
    private final PackedLayout layout;
    private final int block;
    private final PageRun pages;
    private int size;

    /** An empty store; {@code layout.lanes()} are the tokens of a page, {@code layout.depth()} is the head's width. */
    public PackedKeys(PagePool pool, Kernels kernels, PackedLayout layout) {
        this(kernels, layout, new PageRun(pool, layout.bytes()));
    }

    /** A store over pages that others may write to. */
    PackedKeys(Kernels kernels, PackedLayout layout, PageRun pages) {
        this.kernels = kernels;
        this.layout = layout;
        boolean fitted = layout.axis() == Axis.PER_DEPTH && layout.quantizer().parameterBytes() > 0;
        this.block = fitted ? Math.min(layout.lanes(), Math.max(PANEL, layout.group())) : 1;
        this.pages = pages;
    }

    /** Bytes of a store of {@code tokens} tokens: whole pages. */
    public static long bytes(PackedLayout layout, int tokens) {
        return Math.ceilDiv(tokens, layout.lanes()) * layout.bytes();
    }

    @Override
    public int block() {
        return block;
    }

    /** The layout of a page. */
    public PackedLayout layout() {
        return layout;
    }

    /** Sets the size after others wrote to the pages. */
    void holds(int tokens) {
        size = tokens;
    }

    /** The page that holds a slot. */
    MemorySegment page(int slot) {
        return pages.page(slot / layout.lanes());
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public long wantedBytes(int tokens) {
        int wanted = pagesFor(size + tokens);
        return tokens == 0 ? 0 : pages.wantedBytes(wanted, size / layout.lanes(), wanted);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        if (tokens > 0) {
            int wanted = pagesFor(size + tokens);
            pages.reserve(wanted, size / layout.lanes(), wanted, claim);
        }
    }

    @Override
    public long wantedBytesForAll(int tokens) {
        return pages.wantedBytes(pagesFor(size + tokens), 0, pages.count());
    }

    @Override
    public void reserveAll(int tokens, PagePool.Claim claim) {
        pages.reserve(pagesFor(size + tokens), 0, pages.count(), claim);
    }

    private int pagesFor(int tokens) {
        return Math.ceilDiv(tokens, layout.lanes());
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        int row = 0;
        while (row < count) {
            int from = offset + row * stride;
            int columns = block == 1 ? PANEL : block;
            if (block == 1 && (size % PANEL != 0 || count - row < PANEL)) {
                appendColumns(rows, from, 1, 1, scratch);
                row++;
            } else {
                float[] tile = scratch.tile(layout.depth() * columns);
                Panels.transpose(rows, from, stride, columns, layout.depth(), tile, columns);
                appendColumns(tile, 0, columns, columns, scratch);
                row += columns;
            }
        }
    }

    @Override
    public void appendColumns(float[] columns, int offset, int stride, int count, Scratch scratch) {
        if (count % block != 0) {
            throw new IllegalArgumentException(count + " tokens, block " + block);
        }
        int lane = size % layout.lanes();
        float[] work = scratch.work(Kernels.workSize(layout));
        kernels.pack(layout, page(size), lane, lane + count, 0, layout.depth(), columns, offset, stride, work);
        size += count;
    }

    @Override
    public void row(int slot, float[] out, int offset, Scratch scratch) {
        MemorySegment page = page(slot);
        int lane = slot % layout.lanes();
        for (int c = 0; c < layout.depth(); c++) {
            out[offset + c] = layout.value(page, c, lane);
        }
    }

    /** Only where tokens come one by one. */
    @Override
    public void replace(int slot, float[] row, int offset, Scratch scratch) {
        if (block != 1) {
            throw new IllegalStateException("a token of a block of " + block + " cannot be replaced");
        }
        int lane = slot % layout.lanes();
        float[] work = scratch.work(Kernels.workSize(layout));
        kernels.pack(layout, page(slot), lane, lane + 1, 0, layout.depth(), row, offset, 1, work);
    }

    @Override
    public boolean isMovable() {
        return block == 1;
    }

    @Override
    public void move(int from, int to) {
        layout.copyLane(page(from), from % layout.lanes(), page(to), to % layout.lanes());
    }

    /**
     * Stores {@code count} tokens of one page given as {@code columns[channel][token]}, with scales (and zeros, empty if there
     * are none) of the caller's own for each token and group of channels: {@code [group][token]}.
     */
    public void appendGiven(
            float[] columns,
            int offset,
            int stride,
            int count,
            float[] scales,
            float[] zeros,
            int parameterOffset,
            Scratch scratch) {
        int lane = size % layout.lanes();
        float[] work = scratch.work(Kernels.workSize(layout));
        kernels.packGiven(
                layout,
                page(size),
                lane,
                lane + count,
                0,
                layout.depth(),
                columns,
                offset,
                stride,
                scales,
                zeros,
                parameterOffset,
                work);
        size += count;
    }

    /**
     * Writes what is stored of slots {@code from} to {@code to - 1}, all of one page, to {@code out[channel][token]}.
     *
     * @param from a multiple of 16; up to 15 tokens more than asked for may be written to each row
     */
    public void unpack(int from, int to, float[] out, int offset, int stride, Scratch scratch) {
        int lane = from % layout.lanes();
        int end = lane + Math.ceilDiv(to - from, PackedLayout.UNIT) * PackedLayout.UNIT;
        float[] work = scratch.work(Kernels.workSize(layout));
        kernels.unpack(layout, page(from), lane, end, 0, layout.depth(), out, offset, stride, work);
    }

    @Override
    public void panel(int slot, int headDim, float[] tile, int offset, Scratch scratch) {
        int lane = slot % layout.lanes();
        float[] work = scratch.work(Kernels.workSize(layout));
        kernels.unpack(layout, page(slot), lane, lane + PANEL, 0, layout.depth(), tile, offset, PANEL, work);
    }

    /** Writes some channels of 32 slots, the first a multiple of 32, to {@code tile[channel][32]}. */
    public void unpack(int slot, int channelFrom, int channelTo, float[] tile, Scratch scratch) {
        int lane = slot % layout.lanes();
        float[] work = scratch.work(Kernels.workSize(layout));
        kernels.unpack(layout, page(slot), lane, lane + PANEL, channelFrom, channelTo, tile, 0, PANEL, work);
    }

    /** Writes all channels of 32 slots, the first a multiple of 32, to {@code tile[rows[channel]][32]}. */
    public void unpackRows(int slot, int[] rows, float[] tile, Scratch scratch) {
        int lane = slot % layout.lanes();
        float[] work = scratch.work(Kernels.workSize(layout));
        kernels.unpackRows(layout, page(slot), lane, lane + PANEL, 0, layout.depth(), rows, tile, 0, PANEL, work);
    }

    /** As {@link #unpack(int, int, int, float[], Scratch)}, under the scales and zeros of the channels, which are not stored: {@code scales[0]} is that of channel 0. */
    public void unpackGiven(int slot, int channelFrom, int channelTo, float[] scales, float[] zeros, float[] tile) {
        int lane = slot % layout.lanes();
        kernels.unpackGiven(layout, page(slot), lane, channelFrom, channelTo, scales, zeros, channelFrom, tile, 0);
    }

    /** Scores of one query, turned back to the slot, against some channels of 32 slots kept before RoPE, under scales as above. */
    public void turnedScores(
            int slot,
            int channelFrom,
            int channelTo,
            float[] scales,
            float[] zeros,
            RotaryBlock rotary,
            float[] query,
            float[] out,
            int outOffset) {
        kernels.turnedScores(
                layout,
                page(slot),
                slot % layout.lanes(),
                channelFrom,
                (channelTo - channelFrom) / 2,
                scales,
                zeros,
                channelFrom,
                rotary.cosines(),
                rotary.sines(),
                query,
                0,
                out,
                outOffset);
    }

    /** The number that one channel of a slot stands for. */
    public float value(int slot, int channel) {
        return layout.value(page(slot), channel, slot % layout.lanes());
    }

    /** The channels {@code from} to {@code to - 1} as keys by themselves: a head's share of keys that heads hold together. */
    public KeyReader channels(int from, int to) {
        return new Channels(from, to);
    }

    private final class Channels implements KeyReader {
        private final int first;
        private final int end;

        Channels(int first, int end) {
            this.first = first;
            this.end = end;
        }

        @Override
        public int size() {
            return size;
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
            PackedKeys.this.read(first, end, queries, queryOffset, rows, from, to, out, outOffset, outStride, scratch);
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
        read(0, layout.depth(), queries, queryOffset, rows, from, to, out, outOffset, outStride, scratch);
    }

    private void read(
            int channelFrom,
            int channelTo,
            float[] queries,
            int queryOffset,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        int lanes = layout.lanes();
        int slot = from;
        while (slot < to) {
            int lane = slot % lanes;
            int end = Math.min(lanes, lane + to - slot);
            int o = outOffset + slot - from;
            PackedReads.scores(
                    kernels,
                    layout,
                    page(slot),
                    lane,
                    end,
                    channelFrom,
                    channelTo,
                    queries,
                    queryOffset,
                    rows,
                    out,
                    o,
                    outStride,
                    scratch);
            slot += end - lane;
        }
    }

    @Override
    public int smallestSize() {
        return block == 1 ? 0 : size;
    }

    @Override
    public void shorten(int newSize) {
        size = newSize;
    }

    @Override
    public void trim() {
        pages.shrink(pagesFor(size));
    }

    @Override
    public void truncate(int newSize) {
        size = newSize;
        pages.shrink(pagesFor(newSize));
    }

    @Override
    public Footprint footprint() {
        return PackedValues.footprint(layout, pages.count());
    }

    @Override
    public PackedKeys fork() {
        PackedKeys fork = new PackedKeys(kernels, layout, pages.fork());
        fork.size = size;
        return fork;
    }

    @Override
    public void write(DataOutput out) throws IOException {
        pages.write(out, pagesFor(size));
    }

    @Override
    public void read(DataInput in, int newSize) throws IOException {
        pages.read(in, pagesFor(newSize));
        size = newSize;
    }

    @Override
    public void release() {
        size = 0;
        pages.shrink(0);
    }
}
