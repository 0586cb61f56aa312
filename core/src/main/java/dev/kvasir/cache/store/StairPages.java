package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * The pages of segments on their {@link Stairs}. When segments come, those on upper stairs first go down as far as they will
 * in the end, oldest first; each new one is then packed on the first stair and goes straight down to its own. So the pages of
 * the upper stairs are used again and again, and all that grows is the last stair.
 *
 * <p>A page that a fork shares is copied before its segment goes down: the other keeps its own.
 */
final class StairPages {
    private final Kernels kernels;
    private final Stairs stairs;
    private final PageRun[] runs;
    private int segments;

    /** Segments still to come of those expected, the one being packed included. */
    private int coming;
    /** Tokens of it so far. */
    private int filled;

    StairPages(PagePool pool, Kernels kernels, Stairs stairs) {
        this(kernels, stairs, new PageRun[stairs.count()]);
        for (int stair = 0; stair < runs.length; stair++) {
            runs[stair] = new PageRun(pool, stairs.layout(stair).bytes());
        }
    }

    private StairPages(Kernels kernels, Stairs stairs, PageRun[] runs) {
        this.kernels = kernels;
        this.stairs = stairs;
        this.runs = runs;
    }

    PageRun run(int stair) {
        return runs[stair];
    }

    /** Tokens of whole segments. */
    int size() {
        return segments * stairs.segment();
    }

    /** Tokens on a stair. */
    int size(int stair) {
        return stairs.on(stair, segments) * stairs.segment();
    }

    private int last() {
        return runs.length - 1;
    }

    long wantedBytes(int tokens) {
        int after = segments + tokens / stairs.segment();
        long wanted = 0;
        for (int stair = 0; stair < runs.length && after > segments; stair++) {
            int pages = stairs.on(stair, after);
            wanted += runs[stair].wantedBytes(pages, firstWritten(stair), pages);
        }
        return wanted;
    }

    void reserve(int tokens, PagePool.Claim claim) {
        int after = segments + tokens / stairs.segment();
        for (int stair = 0; stair < runs.length && after > segments; stair++) {
            int pages = stairs.on(stair, after);
            runs[stair].reserve(pages, firstWritten(stair), pages, claim);
        }
    }

    /** First page of a stair that the next segments are written to: upper stairs are written again. */
    private int firstWritten(int stair) {
        return stair == last() ? stairs.on(stair, segments) : 0;
    }

    /** Lets the segments on upper stairs make way for {@code tokens} tokens. */
    void expect(int tokens) {
        if (filled > 0 || coming > 0 || tokens % stairs.segment() != 0) {
            throw new IllegalStateException(tokens + " tokens expected, " + coming + " segments by " + filled);
        }
        coming = tokens / stairs.segment();
        for (int stair = last() - 1; stair >= 0 && coming > 0; stair--) {
            if (stairs.on(stair, segments) > 0) {
                int to = Math.min(stair + coming, last());
                // Of the segments on this stair and above, stair + 1 in all, this one is the oldest.
                stepDown(stair, to, segments - stair - 1);
            }
        }
    }

    /** Brings a segment, numbered from the oldest, from the only page of an upper stair to a lower one. */
    private void stepDown(int from, int to, int segment) {
        MemorySegment out = runs[to].page(to == last() ? segment : 0);
        kernels.stepDown(stairs.layout(from), runs[from].page(0), stairs.layout(to), out, stairs.factors(from, to));
    }

    /** The page that coming tokens are packed into, from {@link #filled} on. */
    MemorySegment open() {
        if (coming == 0) {
            expect(stairs.segment());
        }
        return runs[0].page(last() == 0 ? segments : 0);
    }

    int filled() {
        return filled;
    }

    /** Counts tokens that were packed; returns whether all that were expected have come. */
    boolean add(int tokens) {
        filled += tokens;
        if (filled == stairs.segment()) {
            filled = 0;
            coming--;
            int stair = Math.min(coming, last());
            if (stair > 0) {
                stepDown(0, stair, segments);
            }
            segments++;
        }
        return coming == 0;
    }

    Footprint footprint() {
        Footprint sum = Footprint.ZERO;
        for (int stair = 0; stair < runs.length; stair++) {
            PackedLayout layout = stairs.layout(stair);
            sum = sum.plus(PackedValues.footprint(layout, runs[stair].count()));
        }
        return sum;
    }

    StairPages fork() {
        PageRun[] forked = new PageRun[runs.length];
        for (int stair = 0; stair < runs.length; stair++) {
            forked[stair] = runs[stair].fork();
        }
        StairPages fork = new StairPages(kernels, stairs, forked);
        fork.segments = segments;
        return fork;
    }

    void write(DataOutput out) throws IOException {
        for (int stair = 0; stair < runs.length; stair++) {
            runs[stair].write(out, stairs.on(stair, segments));
        }
    }

    void read(DataInput in, int size) throws IOException {
        int found = size / stairs.segment();
        for (int stair = 0; stair < runs.length; stair++) {
            runs[stair].read(in, stairs.on(stair, found));
        }
        segments = found;
    }

    void release() {
        segments = 0;
        for (PageRun run : runs) {
            run.shrink(0);
        }
    }
}
