package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Values whose codes lose bits as they age, segment by segment; the oldest have the first slots. */
public final class StairValues implements BlockValues {
    private static final int BLOCK = 32;

    private final Kernels kernels;
    private final Stairs stairs;
    private final StairPages pages;
    /** What each stair holds, as values by themselves; the last stair, of the oldest, first. */
    private final List<PackedValues> parts = new ArrayList<>();

    private final ValueChain reader;

    /** An empty store; lanes are the head's channels, the depth runs over the tokens of a segment. */
    public StairValues(PagePool pool, Kernels kernels, Stairs stairs) {
        this(kernels, stairs, new StairPages(pool, kernels, stairs));
    }

    private StairValues(Kernels kernels, Stairs stairs, StairPages pages) {
        this.kernels = kernels;
        this.stairs = stairs;
        this.pages = pages;
        for (int stair = stairs.count() - 1; stair >= 0; stair--) {
            parts.add(new PackedValues(kernels, stairs.layout(stair), pages.run(stair)));
        }
        reader = new ValueChain(parts);
        count();
    }

    /** Stairs. */
    public int stairs() {
        return stairs.count();
    }

    /** The values of one stair, 0 that of the newest segment. */
    public PackedValues stair(int stair) {
        return parts.get(parts.size() - 1 - stair);
    }

    /** Tells the parts what they hold. */
    private void count() {
        for (int stair = 0; stair < stairs.count(); stair++) {
            stair(stair).holds(pages.size(stair));
        }
    }

    /** Tokens come by themselves in every group, but only whole segments can be read. */
    @Override
    public int block() {
        return BLOCK;
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
        var layout = stairs.layout(0);
        float[] work = scratch.work(Kernels.workSize(layout));
        for (int t = 0; t < count; t += BLOCK) {
            var page = pages.open();
            int depth = pages.filled();
            int at = offset + t * stride;
            kernels.pack(layout, page, 0, layout.lanes(), depth, depth + BLOCK, rows, at, stride, work);
            if (pages.add(BLOCK)) {
                count();
            }
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
    public StairValues fork() {
        return new StairValues(kernels, stairs, pages.fork());
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
