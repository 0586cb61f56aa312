package dev.kvasir.cache.store;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * The newest tokens exact, in a ring, before a store that takes each when it leaves the ring, exactly once.
 *
 * <pre>
 *   slots: rest [size - recent] | ring [recent], the oldest first
 * </pre>
 */
final class WindowRows implements RowStore {
    /** Rows handed on at a time. */
    private static final int CHUNK = 32;

    private final RowStore rest;
    private final ExactValues ring;
    private final Element element;
    private final int headDim;
    private final int recent;

    WindowRows(RowStore rest, PagePool pool, Kernels kernels, Element element, int headDim, int recent) {
        this(rest, new ExactValues(pool, kernels, element, headDim, recent, recent), element, headDim, recent);
    }

    private WindowRows(RowStore rest, ExactValues ring, Element element, int headDim, int recent) {
        this.rest = rest;
        this.ring = ring;
        this.element = element;
        this.headDim = headDim;
        this.recent = recent;
    }

    ExactValues ring() {
        return ring;
    }

    @Override
    public int size() {
        return rest.size() + ring.size();
    }

    /** Tokens that the rest takes when {@code tokens} more come. */
    private int leaving(int tokens) {
        return Math.max(0, ring.size() + tokens - recent);
    }

    @Override
    public long wantedBytes(int tokens) {
        return rest.wantedBytes(leaving(tokens)) + ring.wantedBytes(tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        rest.reserve(leaving(tokens), claim);
        ring.reserve(tokens, claim);
    }

    @Override
    public long wantedBytesForAll(int tokens) {
        return rest.wantedBytesForAll(leaving(tokens)) + ring.wantedBytesForAll(tokens);
    }

    @Override
    public void reserveAll(int tokens, PagePool.Claim claim) {
        rest.reserveAll(leaving(tokens), claim);
        ring.reserveAll(tokens, claim);
    }

    /** Tokens that pass the ring by are rounded as it would, so that their codes do not depend on what they came with. */
    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        int leaving = leaving(count);
        int old = Math.min(leaving, ring.size());
        float[] chunk = scratch.spare(CHUNK * headDim);
        for (int done = 0; done < old; ) {
            int run = Math.min(CHUNK, old - done);
            for (int i = 0; i < run; i++) {
                ring.row(done + i, chunk, i * headDim, scratch);
            }
            rest.append(chunk, 0, headDim, run, scratch);
            done += run;
        }
        ring.dropOldest(old);
        int passing = leaving - old;
        for (int done = 0; done < passing; ) {
            int run = Math.min(CHUNK, passing - done);
            for (int i = 0; i < run; i++) {
                System.arraycopy(rows, offset + (done + i) * stride, chunk, i * headDim, headDim);
            }
            element.round(chunk, 0, run * headDim);
            rest.append(chunk, 0, headDim, run, scratch);
            done += run;
        }
        ring.append(rows, offset + passing * stride, stride, count - passing, scratch);
    }

    @Override
    public void row(int slot, float[] out, int offset, Scratch scratch) {
        if (slot < rest.size()) {
            rest.row(slot, out, offset, scratch);
        } else {
            ring.row(slot - rest.size(), out, offset, scratch);
        }
    }

    @Override
    public void replace(int slot, float[] row, int offset, Scratch scratch) {
        if (slot < rest.size()) {
            rest.replace(slot, row, offset, scratch);
        } else {
            ring.replace(slot - rest.size(), row, offset, scratch);
        }
    }

    @Override
    public boolean isMovable() {
        return rest.isMovable();
    }

    /** Only within the ring and within the rest: between them a token changes its form. */
    @Override
    public void move(int from, int to) {
        int border = rest.size();
        if (from < border != to < border) {
            throw new IllegalArgumentException("slot " + from + " to " + to + ", border " + border);
        }
        if (from < border) {
            rest.move(from, to);
        } else {
            ring.move(from - border, to - border);
        }
    }

    @Override
    public void keep(int[] kept, int count) {
        int border = rest.size();
        int ofRest = 0;
        while (ofRest < count && kept[ofRest] < border) {
            ofRest++;
        }
        rest.keep(kept, ofRest);
        for (int i = ofRest; i < count; i++) {
            if (kept[i] - border != i - ofRest) {
                ring.move(kept[i] - border, i - ofRest);
            }
        }
        ring.shorten(count - ofRest);
    }

    @Override
    public void shorten(int size) {
        ring.shorten(Math.max(0, size - rest.size()));
        rest.shorten(Math.min(size, rest.size()));
    }

    @Override
    public void trim() {
        rest.trim();
        ring.trim();
    }

    /** What has left the ring is as it was stored; after a truncation the ring fills up again. */
    @Override
    public int smallestSize() {
        return rest.smallestSize();
    }

    @Override
    public void truncate(int size) {
        if (size <= rest.size()) {
            ring.release();
            rest.truncate(size);
        } else {
            ring.truncate(size - rest.size());
        }
    }

    @Override
    public Footprint footprint() {
        return rest.footprint().plus(ring.footprint());
    }

    WindowRows fork(RowStore restsFork) {
        return new WindowRows(restsFork, ring.fork(), element, headDim, recent);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        out.writeInt(ring.size());
        out.writeInt(ring.firstRow());
        rest.write(out);
        ring.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int exact = in.readInt();
        int first = in.readInt();
        if (exact < 0 || exact > Math.min(size, recent) || first < 0 || first >= recent) {
            throw new CacheFileException("exact tokens: found " + exact + " from row " + first + ", allowed are 0 to "
                    + Math.min(size, recent) + " from row 0 to " + (recent - 1));
        }
        rest.read(in, size - exact);
        ring.read(in, first, exact);
    }

    @Override
    public void release() {
        rest.release();
        ring.release();
    }
}
