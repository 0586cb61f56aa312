package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Keys whose codes lose bits as they age, segment by segment; the oldest have the first slots. */
public final class StairKeys implements BlockKeys {
    private final Kernels kernels;
    private final Stairs stairs;
    private final StairPages pages;
    /** What each stair holds, as keys by themselves; the last stair, of the oldest, first. */
    private final List<PackedKeys> parts = new ArrayList<>();

    private final KeyChain reader;

    /** An empty store; lanes are the tokens of a segment, the depth runs over the head's channels. */
    public StairKeys(PagePool pool, Kernels kernels, Stairs stairs) {
        this(kernels, stairs, new StairPages(pool, kernels, stairs));
    }

    private StairKeys(Kernels kernels, Stairs stairs, StairPages pages) {
        this.kernels = kernels;
        this.stairs = stairs;
        this.pages = pages;
        for (int stair = stairs.count() - 1; stair >= 0; stair--) {
            parts.add(new PackedKeys(kernels, stairs.layout(stair), pages.run(stair)));
        }
        reader = new KeyChain(stairs.layout(0).depth(), parts);
        count();
    }

    /** Stairs. */
    public int stairs() {
        return stairs.count();
    }

    /** The keys of one stair, 0 that of the newest segment. */
    public PackedKeys stair(int stair) {
        return parts.get(parts.size() - 1 - stair);
    }

    /** Tells the parts what they hold. */
    private void count() {
        for (int stair = 0; stair < stairs.count(); stair++) {
            stair(stair).holds(pages.size(stair));
        }
    }

    @Override
    public int block() {
        return Math.max(Kernels.PANEL, stairs.layout(0).group());
    }

    @Override
    public boolean keepsOrder() {
        return false;
    }

    @Override
    public int size() {
        return pages.size();
    }

    @Override
    public long wantedBytes(int tokens) {
        return pages.wantedBytes(tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        pages.reserve(tokens, claim);
    }

    @Override
    public void expect(int tokens) {
        pages.expect(tokens);
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        int depth = stairs.layout(0).depth();
        for (int t = 0; t < count; t += block()) {
            float[] tile = scratch.tile(depth * block());
            Panels.transpose(rows, offset + t * stride, stride, block(), depth, tile, block());
            appendColumns(tile, 0, block(), block(), scratch);
        }
    }

    @Override
    public void appendColumns(float[] columns, int offset, int stride, int count, Scratch scratch) {
        var layout = stairs.layout(0);
        float[] work = scratch.work(Kernels.workSize(layout));
        var page = pages.open();
        int lane = pages.filled();
        kernels.pack(layout, page, lane, lane + count, 0, layout.depth(), columns, offset, stride, work);
        if (pages.add(count)) {
            count();
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

    /** Nothing that went down comes up again. */
    @Override
    public int smallestSize() {
        return pages.size();
    }

    @Override
    public void truncate(int newSize) {
        if (newSize != pages.size()) {
            throw new IllegalArgumentException("truncation to " + newSize + " of " + pages.size());
        }
    }

    @Override
    public Footprint footprint() {
        return pages.footprint();
    }

    @Override
    public StairKeys fork() {
        return new StairKeys(kernels, stairs, pages.fork());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        pages.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        pages.read(in, size);
        count();
    }

    @Override
    public void release() {
        pages.release();
        count();
    }
}
