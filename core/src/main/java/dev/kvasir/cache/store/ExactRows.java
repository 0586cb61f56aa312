package dev.kvasir.cache.store;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A few tokens of a layer kept exact beside stores that hold all tokens: attention sinks. Their scores and values replace
 * those of the stores, whatever these hold for them.
 *
 * <pre>
 *   page = one token: keys after RoPE [kvHeads][headDim] | values [kvHeads][headDim]
 * </pre>
 */
public final class ExactRows {
    private final Kernels kernels;
    private final Element element;
    private final int headDim;
    private final int kvHeads;
    private final int capacity;
    private final PageRun pages;
    /** Slots of the tokens, ascending. */
    private final int[] slots;

    private int count;

    /** An empty store of at most {@code capacity} tokens. */
    public ExactRows(PagePool pool, Kernels kernels, Element element, int headDim, int kvHeads, int capacity) {
        this(
                kernels,
                element,
                headDim,
                kvHeads,
                capacity,
                new PageRun(pool, rowBytes(element, headDim, kvHeads)),
                new int[capacity]);
    }

    private ExactRows(
            Kernels kernels, Element element, int headDim, int kvHeads, int capacity, PageRun pages, int[] slots) {
        this.kernels = kernels;
        this.element = element;
        this.headDim = headDim;
        this.kvHeads = kvHeads;
        this.capacity = capacity;
        this.pages = pages;
        this.slots = slots;
    }

    /** Bytes of one token, keys and values. */
    public static long rowBytes(Element element, int headDim, int kvHeads) {
        return 2L * headDim * kvHeads * element.bytes();
    }

    /** Tokens held. */
    public int count() {
        return count;
    }

    /** The slot of the {@code i}th token. */
    public int slot(int i) {
        return slots[i];
    }

    /** Bytes that {@link #reserve} would take for {@code more} tokens. */
    public long wantedBytes(int more) {
        int wanted = Math.min(capacity, count + more);
        return pages.wantedBytes(wanted, count, wanted);
    }

    /** Makes room for {@code more} tokens, as far as the capacity goes. */
    public void reserve(int more, PagePool.Claim claim) {
        int wanted = Math.min(capacity, count + more);
        pages.reserve(wanted, count, wanted, claim);
    }

    /** Bytes that {@link #reserveRoom} would take. */
    public long wantedRoom(int rows, boolean rewrite) {
        int room = Math.min(capacity, rows);
        return pages.wantedBytes(room, 0, rewrite ? room : 0);
    }

    /**
     * Makes room for {@code rows} tokens in all, as far as the capacity goes.
     *
     * @param rewrite whether tokens will be added: any row may become another's then
     */
    public void reserveRoom(int rows, boolean rewrite, PagePool.Claim claim) {
        int room = Math.min(capacity, rows);
        pages.reserve(room, 0, rewrite ? room : 0, claim);
    }

    /**
     * Keeps a token whose slot is after all others.
     *
     * @param keys after RoPE, {@code [kvHeads][headDim]} from {@code keyOffset} on; values likewise
     */
    public void add(int slot, float[] keys, int keyOffset, float[] values, int valueOffset) {
        if (count > 0 && slot <= slots[count - 1]) {
            throw new IllegalArgumentException("slot " + slot + " after " + slots[count - 1]);
        }
        int width = kvHeads * headDim;
        MemorySegment page = pages.page(count);
        kernels.encode(element, keys, keyOffset, width, page, 0);
        kernels.encode(element, values, valueOffset, width, page, (long) width * element.bytes());
        slots[count++] = slot;
    }

    /** Forgets the {@code i}th token; its room is free for another. */
    public void remove(int i) {
        count--;
        for (int j = i; j < count; j++) {
            slots[j] = slots[j + 1];
            pages.swap(j, j + 1);
        }
    }

    /** Forgets tokens whose slot is {@code size} or more, and gives back the room that {@code size} tokens cannot fill. */
    public void truncate(int size) {
        while (count > 0 && slots[count - 1] >= size) {
            count--;
        }
        pages.shrink(Math.min(capacity, size));
    }

    /** Gives back reserved pages that no token took. */
    public void trim() {
        pages.shrink(count);
    }

    /** All pages, as a window. */
    public Footprint footprint() {
        return new Footprint(0, 0, pages.bytes(), 0, 0);
    }

    /** A second store with the same content, which shares this one's pages. */
    public ExactRows fork() {
        ExactRows fork = new ExactRows(kernels, element, headDim, kvHeads, capacity, pages.fork(), slots.clone());
        fork.count = count;
        return fork;
    }

    /** Writes what {@link #read} needs. */
    public void write(DataOutput out) throws IOException {
        out.writeInt(count);
        for (int i = 0; i < count; i++) {
            out.writeInt(slots[i]);
        }
        out.writeInt(pages.count());
        pages.write(out, pages.count());
    }

    /** Fills this empty store; slots must be below {@code size}. */
    public void read(DataInput in, int size) throws IOException {
        int found = in.readInt();
        if (found < 0 || found > capacity) {
            throw new CacheFileException("exact tokens: found " + found + ", allowed are 0 to " + capacity);
        }
        for (int i = 0; i < found; i++) {
            int slot = in.readInt();
            int least = i == 0 ? 0 : slots[i - 1] + 1;
            if (slot < least || slot >= size) {
                throw new CacheFileException(
                        "exact token " + i + ": slot " + slot + ", allowed are " + least + " to " + (size - 1));
            }
            slots[i] = slot;
        }
        int room = in.readInt();
        if (room < found || room > Math.min(capacity, size)) {
            throw new CacheFileException("room for exact tokens: found " + room + ", allowed are " + found + " to "
                    + Math.min(capacity, size));
        }
        pages.read(in, room);
        count = found;
    }

    /** Gives all pages back. */
    public void release() {
        count = 0;
        pages.shrink(0);
    }

    private int firstFrom(int slot) {
        int at = Arrays.binarySearch(slots, 0, count, slot);
        return at < 0 ? -at - 1 : at;
    }

    /** {@code inner}, whose queries must be the model's own, with the exact tokens' scores in place of its own. */
    public KeyReader keys(int kvHead, KeyReader inner) {
        return new Keys(kvHead, inner);
    }

    /** {@code inner} with the exact tokens' values in place of its own. */
    public ValueReader values(int kvHead, ValueReader inner) {
        return new Values(kvHead, inner);
    }

    private final class Keys implements KeyReader {
        private final int kvHead;
        private final KeyReader inner;

        Keys(int kvHead, KeyReader inner) {
            this.kvHead = kvHead;
            this.inner = inner;
        }

        @Override
        public int size() {
            return inner.size();
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
            inner.scores(queries, queryOffset, rows, from, to, out, outOffset, outStride, scratch);
            int end = firstFrom(to);
            for (int i = firstFrom(from); i < end; i += Kernels.PANEL) {
                scorePanel(
                        queries,
                        queryOffset,
                        rows,
                        i,
                        Math.min(end, i + Kernels.PANEL),
                        from,
                        out,
                        outOffset,
                        outStride,
                        scratch);
            }
        }

        /** Scores up to 32 tokens as exact stores do, to the bit. */
        private void scorePanel(
                float[] queries,
                int queryOffset,
                int rows,
                int first,
                int end,
                int from,
                float[] out,
                int outOffset,
                int outStride,
                Scratch scratch) {
            int row = headDim * Kernels.PANEL;
            int scores = row + headDim;
            float[] lanes = scratch.lanes(scores + rows * Kernels.PANEL);
            Arrays.fill(lanes, 0, row, 0f);
            long at = (long) kvHead * headDim * element.bytes();
            for (int i = first; i < end; i++) {
                kernels.decode(element, pages.page(i), at, headDim, lanes, row);
                for (int c = 0; c < headDim; c++) {
                    lanes[c * Kernels.PANEL + i - first] = lanes[row + c];
                }
            }
            kernels.dots(queries, queryOffset, headDim, rows, lanes, 0, headDim, lanes, scores, Kernels.PANEL);
            for (int r = 0; r < rows; r++) {
                for (int i = first; i < end; i++) {
                    out[outOffset + r * outStride + slots[i] - from] = lanes[scores + r * Kernels.PANEL + i - first];
                }
            }
        }
    }

    private final class Values implements ValueReader {
        private final int kvHead;
        private final ValueReader inner;

        Values(int kvHead, ValueReader inner) {
            this.kvHead = kvHead;
            this.inner = inner;
        }

        @Override
        public int size() {
            return inner.size();
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
            int first = firstFrom(from);
            int end = firstFrom(to);
            float[] kept = scratch.spare((end - first) * rows);
            exchange(weights, weightOffset - from, weightStride, rows, first, end, kept, true);
            inner.addWeighted(weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
            exchange(weights, weightOffset - from, weightStride, rows, first, end, kept, false);
            for (int i = first; i < end; i++) {
                float[] value = scratch.lanes(headDim);
                long at = (long) (kvHeads + kvHead) * headDim * element.bytes();
                kernels.decode(element, pages.page(i), at, headDim, value, 0);
                int w = weightOffset + slots[i] - from;
                kernels.sums(weights, w, weightStride, rows, value, 0, headDim, 1, headDim, out, outOffset, headDim);
            }
        }

        /** Keeps the weights of exact tokens aside and puts 0 in their place, or brings them back. */
        private void exchange(
                float[] weights, int offset, int stride, int rows, int first, int end, float[] kept, boolean away) {
            int k = 0;
            for (int i = first; i < end; i++) {
                for (int r = 0; r < rows; r++, k++) {
                    int at = offset + r * stride + slots[i];
                    if (away) {
                        kept[k] = weights[at];
                        weights[at] = 0;
                    } else {
                        weights[at] = kept[k];
                    }
                }
            }
        }

        @Override
        public void finish(float[] sums, int offset, int rows, Scratch scratch) {
            inner.finish(sums, offset, rows, scratch);
        }
    }
}
