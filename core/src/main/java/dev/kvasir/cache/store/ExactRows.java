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

    /** {@code inner}, whose queries must be the model's own, with the exact tokens' scores in place of its own. */
    public KeyReader keys(int kvHead, KeyReader inner) {
        return new RowOverlay(kernels, headDim, new Rows(0, kvHead)).keys(inner);
    }

    /** {@code inner} with the exact tokens' values in place of its own. */
    public ValueReader values(int kvHead, ValueReader inner) {
        return new RowOverlay(kernels, headDim, new Rows(1, kvHead)).values(inner);
    }

    /** The keys (side 0) or values (side 1) of a head. */
    private final class Rows implements RowOverlay.Rows {
        private final long at;

        Rows(int side, int kvHead) {
            at = (long) (side * kvHeads + kvHead) * headDim * element.bytes();
        }

        @Override
        public int firstFrom(int slot) {
            int found = Arrays.binarySearch(slots, 0, count, slot);
            return found < 0 ? -found - 1 : found;
        }

        @Override
        public int slot(int i) {
            return slots[i];
        }

        @Override
        public void row(int i, float[] out, int offset) {
            kernels.decode(element, pages.page(i), at, headDim, out, offset);
        }
    }
}
