package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Values as codes of a few bits: lanes are channels, the depth runs over tokens.
 *
 * <p>{@link Axis#PER_DEPTH} is a scale for each token and group of channels (per-token values): tokens come one by one.
 * {@link Axis#PER_LANE} is a scale for each channel and group of tokens: tokens come in whole groups.
 */
public final class PackedValues implements BlockValues, RowValues {
    private final Kernels kernels;
    private final PackedLayout layout;
    private final int block;
    private final PageRun pages;
    private int size;

    /** An empty store; {@code layout.lanes()} is the head's width, {@code layout.depth()} are the tokens of a page. */
    public PackedValues(PagePool pool, Kernels kernels, PackedLayout layout) {
        this(kernels, layout, new PageRun(pool, layout.bytes()));
    }

    /** A store over pages that others may write to. */
    PackedValues(Kernels kernels, PackedLayout layout, PageRun pages) {
        this.kernels = kernels;
        this.layout = layout;
        this.block = layout.axis() == Axis.PER_LANE ? layout.group() : 1;
        this.pages = pages;
    }

    /** Bytes of a store of {@code tokens} tokens: whole pages. */
    public static long bytes(PackedLayout layout, int tokens) {
        return Math.ceilDiv(tokens, layout.depth()) * layout.bytes();
    }

    static Footprint footprint(PackedLayout layout, int pages) {
        return new Footprint(pages * layout.codeBytes(), pages * layout.scaleBytes(), 0, 0, 0);
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
        return pages.page(slot / layout.depth());
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public long wantedBytes(int tokens) {
        int wanted = pagesFor(size + tokens);
        return tokens == 0 ? 0 : pages.wantedBytes(wanted, size / layout.depth(), wanted);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        if (tokens > 0) {
            int wanted = pagesFor(size + tokens);
            pages.reserve(wanted, size / layout.depth(), wanted, claim);
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
        return Math.ceilDiv(tokens, layout.depth());
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        if (count % block != 0) {
            throw new IllegalArgumentException(count + " tokens, block " + block);
        }
        int row = 0;
        while (row < count) {
            int depth = size % layout.depth();
            int run = Math.min(count - row, layout.depth() - depth);
            int from = offset + row * stride;
            float[] work = scratch.work(Kernels.workSize(layout));
            kernels.pack(layout, page(size), 0, layout.lanes(), depth, depth + run, rows, from, stride, work);
            size += run;
            row += run;
        }
    }

    @Override
    public void row(int slot, float[] out, int offset, Scratch scratch) {
        MemorySegment page = page(slot);
        int depth = slot % layout.depth();
        for (int c = 0; c < layout.lanes(); c++) {
            out[offset + c] = layout.value(page, depth, c);
        }
    }

    /** Only where tokens come one by one. */
    @Override
    public void replace(int slot, float[] row, int offset, Scratch scratch) {
        if (block != 1) {
            throw new IllegalStateException("a token of a block of " + block + " cannot be replaced");
        }
        int depth = slot % layout.depth();
        float[] work = scratch.work(Kernels.workSize(layout));
        kernels.pack(layout, page(slot), 0, layout.lanes(), depth, depth + 1, row, offset, layout.lanes(), work);
    }

    @Override
    public boolean isMovable() {
        return block == 1;
    }

    @Override
    public void move(int from, int to) {
        layout.copyDepth(page(from), from % layout.depth(), page(to), to % layout.depth());
    }

    /**
     * Stores {@code count} tokens of one page with scales (and zeros, empty if there are none) of the caller's own for each
     * group of channels and token: {@code [group][token]}.
     */
    public void appendGiven(
            float[] rows,
            int offset,
            int stride,
            int count,
            float[] scales,
            float[] zeros,
            int parameterOffset,
            Scratch scratch) {
        int depth = size % layout.depth();
        float[] work = scratch.work(Kernels.workSize(layout));
        kernels.packGiven(
                layout,
                page(size),
                0,
                layout.lanes(),
                depth,
                depth + count,
                rows,
                offset,
                stride,
                scales,
                zeros,
                parameterOffset,
                work);
        size += count;
    }

    /** The number that one channel of a slot stands for. */
    public float value(int slot, int channel) {
        return layout.value(page(slot), slot % layout.depth(), channel);
    }

    /** The channels {@code from} to {@code to - 1} as values by themselves: a head's share of values that heads hold together. */
    public ValueReader channels(int from, int to) {
        return new Channels(from, to);
    }

    private final class Channels implements ValueReader {
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
            PackedValues.this.read(
                    first, end, weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
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
        int lanes = layout.lanes();
        read(0, lanes, weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
    }

    private void read(
            int laneFrom,
            int laneTo,
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch) {
        int slot = from;
        while (slot < to) {
            int depth = slot % layout.depth();
            int end = Math.min(layout.depth(), depth + to - slot);
            PackedReads.addWeighted(
                    kernels,
                    layout,
                    page(slot),
                    laneFrom,
                    laneTo,
                    depth,
                    end,
                    weights,
                    weightOffset + slot - from,
                    weightStride,
                    rows,
                    out,
                    outOffset,
                    scratch);
            slot += end - depth;
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
        return footprint(layout, pages.count());
    }

    @Override
    public PackedValues fork() {
        PackedValues fork = new PackedValues(kernels, layout, pages.fork());
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
