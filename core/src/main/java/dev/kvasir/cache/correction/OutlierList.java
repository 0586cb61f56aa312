package dev.kvasir.cache.correction;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Outliers of a chunk in the order they were found, on their way into a {@link Csr}; keeps its room for the next chunk. */
public final class OutlierList {
    private long[] places = new long[64];
    private float[] deltas = new float[64];
    private long[] sorted = new long[0];
    private int count;

    /** Starts a new chunk. */
    public void clear() {
        count = 0;
    }

    /** Outliers so far. */
    public int count() {
        return count;
    }

    /** An outlier: what has to be added to the reconstruction of {@code channel} of {@code token}. */
    public void add(int token, int channel, float delta) {
        if (count == places.length) {
            places = Arrays.copyOf(places, 2 * count);
            deltas = Arrays.copyOf(deltas, 2 * count);
        }
        places[count] = ((long) token << 32) | channel;
        deltas[count++] = delta;
    }

    /**
     * Writes all outliers.
     *
     * @param layout of {@link #count} entries, with tokens and channels of all heads beyond all that were added
     * @param at byte offset in the page
     */
    public void write(Csr layout, MemorySegment page, long at) {
        if (layout.entries() != count) {
            throw new IllegalArgumentException(count + " outliers for a layout of " + layout.entries());
        }
        sorted = sorted.length >= count ? sorted : new long[places.length];
        int width = layout.heads() * layout.headDim();
        for (int i = 0; i < count; i++) {
            int token = (int) (places[i] >>> 32);
            int channel = (int) places[i];
            if (token >= layout.tokens() || channel >= width) {
                throw new IllegalArgumentException(
                        "outlier at token " + token + ", channel " + channel + " of " + layout);
            }
            long row = (long) (channel / layout.headDim()) * layout.blocks() + token / Csr.BLOCK;
            int key = channel % layout.headDim() * Csr.BLOCK + token % Csr.BLOCK;
            // Row, key, delta: in this order they sort as they are stored.
            sorted[i] = (row << 32) | ((long) key << 16) | (Entry.of(0, deltas[i]) >>> 16);
        }
        Arrays.sort(sorted, 0, count);
        int row = 0;
        for (int i = 0; i < count; i++) {
            for (; row <= sorted[i] >>> 32; row++) {
                page.set(Entry.INT, at + 4L * row, i);
            }
            int entry = ((int) sorted[i] >>> 16) | ((int) sorted[i] << 16);
            page.set(Entry.INT, at + layout.indexBytes() + (long) i * Entry.BYTES, entry);
        }
        for (; 4L * row < layout.indexBytes(); row++) {
            page.set(Entry.INT, at + 4L * row, count);
        }
    }
}
