package dev.kvasir.cache.store;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The keys, or the values, that a few tokens have in each of some layers, kept exact in F16 beside stores that hold all
 * tokens. As many as there are: a page is one token, so that what is held is what is counted.
 *
 * <pre>
 *   page = layer 0: [heads][headDim] | layer 1: the same | ... | int slot
 * </pre>
 */
public final class KeptRows {
    private static final Element ELEMENT = Element.F16;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Kernels kernels;
    private final int headDim;
    private final int heads;
    private final int layers;
    private final PageRun pages;
    private int count;

    /** None yet. */
    public KeptRows(PagePool pool, Kernels kernels, int headDim, int heads, int layers) {
        this(kernels, headDim, heads, layers, new PageRun(pool, tokenBytes(headDim, heads, layers)));
    }

    private KeptRows(Kernels kernels, int headDim, int heads, int layers, PageRun pages) {
        this.kernels = kernels;
        this.headDim = headDim;
        this.heads = heads;
        this.layers = layers;
        this.pages = pages;
    }

    /** Bytes of one token. */
    public static long tokenBytes(int headDim, int heads, int layers) {
        return (long) layers * heads * headDim * ELEMENT.bytes() + Integer.BYTES;
    }

    /** Tokens held. */
    public int count() {
        return count;
    }

    /** The slot of the {@code i}th token. */
    public int slot(int i) {
        return pages.page(i).get(INT, slotOffset());
    }

    private long slotOffset() {
        return pages.pageBytes() - Integer.BYTES;
    }

    /** Begins a token whose slot is after all others; {@link #set} gives its rows. */
    public void add(int slot, PagePool.Claim claim) {
        pages.reserve(count + 1, count, count + 1, claim);
        pages.page(count).set(INT, slotOffset(), slot);
        count++;
    }

    /** Writes the newest token's rows of a layer, {@code [heads][headDim]} from {@code offset} on. */
    public void set(int layer, float[] rows, int offset) {
        kernels.encode(ELEMENT, rows, offset, heads * headDim, pages.page(count - 1), rowOffset(layer, 0));
    }

    private long rowOffset(int layer, int head) {
        return ((long) layer * heads + head) * headDim * ELEMENT.bytes();
    }

    /** The first token whose slot is {@code slot} or more. */
    private int firstFrom(int slot) {
        int low = 0;
        int high = count;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (slot(middle) < slot) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /** {@code inner} with the scores that a head's kept keys have in a layer in place of its own. */
    public KeyReader keys(int layer, int head, KeyReader inner) {
        return new Keys(overlay(layer, head), inner, headDim);
    }

    /** {@code inner}, to which the tokens kept weigh nothing and whose sums are in the model's basis, with the values that a head keeps of a layer. */
    public ValueReader values(int layer, int head, ValueReader inner) {
        return new Values(overlay(layer, head), inner);
    }

    private RowOverlay overlay(int layer, int head) {
        return new RowOverlay(kernels, headDim, new RowOverlay.Rows() {
            @Override
            public int firstFrom(int slot) {
                return KeptRows.this.firstFrom(slot);
            }

            @Override
            public int slot(int row) {
                return KeptRows.this.slot(row);
            }

            @Override
            public void row(int row, float[] out, int offset) {
                kernels.decode(ELEMENT, pages.page(row), rowOffset(layer, head), headDim, out, offset);
            }
        });
    }

    /** Forgets the tokens whose slot is {@code size} or more. */
    public void truncate(int size) {
        count = firstFrom(size);
        pages.shrink(count);
    }

    /** Rows as a window, slots as indices. */
    public Footprint footprint() {
        long slots = (long) Integer.BYTES * count;
        return new Footprint(0, 0, pages.bytes() - slots, slots, 0);
    }

    /** The same tokens again, in shared pages. */
    public KeptRows fork() {
        KeptRows fork = new KeptRows(kernels, headDim, heads, layers, pages.fork());
        fork.count = count;
        return fork;
    }

    /** Writes what {@link #read} needs. */
    public void write(DataOutput out) throws IOException {
        out.writeInt(count);
        pages.write(out, count);
    }

    /** Fills this empty store; slots must be below {@code size}. */
    public void read(DataInput in, int size) throws IOException {
        int found = in.readInt();
        if (found < 0 || found > size) {
            throw new CacheFileException("kept tokens: found " + found + ", allowed are 0 to " + size);
        }
        pages.read(in, found);
        for (int i = 0; i < found; i++) {
            int least = i == 0 ? 0 : slot(i - 1) + 1;
            if (slot(i) < least || slot(i) >= size) {
                throw new CacheFileException(
                        "kept token " + i + ": slot " + slot(i) + ", allowed are " + least + " to " + (size - 1));
            }
        }
        count = found;
    }

    /** Gives all pages back. */
    public void release() {
        count = 0;
        pages.shrink(0);
    }

    /** Queries as the inner reader wants them, {@code [rows][its width]}, then the model's own, {@code [rows][headDim]}. */
    private record Keys(RowOverlay overlay, KeyReader inner, int headDim) implements KeyReader {
        @Override
        public int size() {
            return inner.size();
        }

        @Override
        public int queryWidth(int width) {
            return inner.queryWidth(width) + width;
        }

        @Override
        public void prepare(
                float[] queries, int offset, int rows, int width, float[] out, int outOffset, Scratch scratch) {
            inner.prepare(queries, offset, rows, width, out, outOffset, scratch);
            System.arraycopy(queries, offset, out, outOffset + rows * inner.queryWidth(width), rows * width);
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
            int own = queryOffset + rows * inner.queryWidth(headDim);
            overlay.replaceScores(queries, own, rows, from, to, out, outOffset, outStride, scratch);
        }
    }

    private record Values(RowOverlay overlay, ValueReader inner) implements ValueReader {
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
            inner.addWeighted(weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
            overlay.addValues(weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
        }
    }
}
