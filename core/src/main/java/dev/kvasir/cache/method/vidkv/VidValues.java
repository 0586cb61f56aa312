package dev.kvasir.cache.method.vidkv;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.store.BlockValues;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.GatheringValues;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.Scratch;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * Quantized values of a head: protected tokens with 2 bits, the others as trits, each kind gathered in order into groups of its
 * own. What does not fill a group yet stays exact.
 */
final class VidValues implements BlockValues {
    private final VidKvSettings settings;
    private final GatheringValues ordinary;
    private final GatheringValues apart;
    /** Tokens still to come in this step. */
    private int coming;

    VidValues(PagePool pool, Kernels kernels, VidKvSettings settings) {
        this(
                settings,
                gathering(pool, kernels, settings, settings.ordinaryValues()),
                gathering(pool, kernels, settings, settings.protectedValues()));
    }

    private VidValues(VidKvSettings settings, GatheringValues ordinary, GatheringValues apart) {
        this.settings = settings;
        this.ordinary = ordinary;
        this.apart = apart;
    }

    private static GatheringValues gathering(
            PagePool pool, Kernels kernels, VidKvSettings settings, PackedLayout layout) {
        ExactValues begun = new ExactValues(
                pool, kernels, VidKvSettings.EXACT, settings.headDim, VidKvSettings.WINDOW_TOKENS, settings.group);
        PackedValues packed = new PackedValues(pool, kernels, layout);
        return new GatheringValues(packed, begun, settings.headDim);
    }

    /** Tokens that nothing protects. */
    GatheringValues ordinary() {
        return ordinary;
    }

    /** Protected tokens. */
    GatheringValues apart() {
        return apart;
    }

    @Override
    public int block() {
        return settings.group;
    }

    @Override
    public int size() {
        return ordinary.size() + apart.size();
    }

    /** Whether there is nothing to sort. */
    private boolean allOrdinary() {
        return settings.protect.count() == 0;
    }

    /** Protected tokens among the next {@code tokens}. */
    private int apart(int tokens) {
        return settings.protect.before(size() + tokens) - settings.protect.before(size());
    }

    @Override
    public long wantedBytes(int tokens) {
        if (allOrdinary()) {
            return ordinary.packed().wantedBytes(tokens);
        }
        int protectedOnes = apart(tokens);
        return ordinary.wantedBytes(tokens - protectedOnes) + apart.wantedBytes(protectedOnes);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        if (allOrdinary()) {
            ordinary.packed().reserve(tokens, claim);
            return;
        }
        int protectedOnes = apart(tokens);
        ordinary.reserve(tokens - protectedOnes, claim);
        apart.reserve(protectedOnes, claim);
    }

    @Override
    public void expect(int tokens) {
        coming = tokens;
    }

    /** The rows are rounded to what is exact already: they come out of a window, or as if they did. */
    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        if (allOrdinary()) {
            ordinary.packed().append(rows, offset, stride, count, scratch);
            return;
        }
        // A store that fills up in the middle of the rows uses the tile they may lie in.
        int d = settings.headDim;
        float[] copy = scratch.spare(count * d);
        for (int t = 0; t < count; t++) {
            System.arraycopy(rows, offset + t * stride, copy, t * d, d);
        }
        int row = 0;
        while (row < count) {
            int position = size();
            int run = settings.protect.runEnd(position, position + count - row) - position;
            GatheringValues to = settings.protect.contains(position) ? apart : ordinary;
            to.append(copy, row * d, d, run, scratch);
            row += run;
        }
        coming -= count;
        if (coming <= 0) {
            ordinary.trim();
            apart.trim();
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
        int apartFrom = settings.protect.before(from);
        int apartTo = settings.protect.before(to);
        int first = from - apartFrom;
        int end = to - apartTo;
        if (apartFrom == apartTo) {
            ordinary.addWeighted(weights, weightOffset, weightStride, rows, first, end, out, outOffset, scratch);
            return;
        }
        if (first == end) {
            apart.addWeighted(weights, weightOffset, weightStride, rows, apartFrom, apartTo, out, outOffset, scratch);
            return;
        }
        // The weights of the ordinary tokens, then those of the protected ones, in the order of their stores.
        int count = to - from;
        float[] sorted = scratch.spare(rows * count);
        int slot = from;
        while (slot < to) {
            int run = settings.protect.runEnd(slot, to) - slot;
            boolean inside = settings.protect.contains(slot);
            int before = settings.protect.before(slot);
            int at = inside ? end - first + before - apartFrom : slot - before - first;
            for (int r = 0; r < rows; r++) {
                int w = weightOffset + r * weightStride + slot - from;
                System.arraycopy(weights, w, sorted, r * count + at, run);
            }
            slot += run;
        }
        ordinary.addWeighted(sorted, 0, count, rows, first, end, out, outOffset, scratch);
        apart.addWeighted(sorted, end - first, count, rows, apartFrom, apartTo, out, outOffset, scratch);
    }

    @Override
    public int smallestSize() {
        return size();
    }

    @Override
    public void truncate(int newSize) {
        if (newSize != size()) {
            throw new IllegalArgumentException("truncation to " + newSize + " of " + size());
        }
    }

    @Override
    public Footprint footprint() {
        return ordinary.footprint().plus(apart.footprint());
    }

    @Override
    public VidValues fork() {
        return new VidValues(settings, ordinary.fork(), apart.fork());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        ordinary.write(out);
        apart.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int protectedOnes = settings.protect.before(size);
        ordinary.read(in, size - protectedOnes);
        apart.read(in, protectedOnes);
    }

    @Override
    public void release() {
        ordinary.release();
        apart.release();
    }
}
