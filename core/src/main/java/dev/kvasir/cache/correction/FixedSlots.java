package dev.kvasir.cache.correction;

import dev.kvasir.cache.kernel.SparseKeys;
import java.lang.foreign.MemorySegment;

/**
 * Sparse outliers with the same number of slots for each token, so that a token is appended without moving another.
 *
 * <pre>
 *   page  = token 0: slot 0 | slot 1 | ... | token 1: ...
 *   slot  = uint16 channel | F16 delta        in any order; an empty one is channel 65535, delta 0
 * </pre>
 *
 * <p>Channels may run over all heads of a layer; a read names its head's channels {@code [channelFrom, channelTo)}.
 *
 * <p>Source: KVQuant, arXiv 2401.18079, section 3.5 with the fixed slots of its released kernels.
 *
 * @param slots of a token; zero takes no bytes and adds nothing
 */
public record FixedSlots(int slots) {
    /** What a tile gets is the delta itself; never written. */
    private static final float[] ONE = {1};

    /** Channels that a slot can name. */
    public static final int MAX_WIDTH = Entry.KEYS - 1;

    private static final int EMPTY = Entry.of(MAX_WIDTH, 0);

    /** Checks the number of slots. */
    public FixedSlots {
        if (slots < 0) {
            throw new IllegalArgumentException(slots + " slots");
        }
    }

    /** Bytes of the slots of some tokens. */
    public long bytes(int tokens) {
        return (long) Entry.BYTES * slots * tokens;
    }

    /**
     * Fills a token's slots; those beyond {@code count} become empty.
     *
     * @param at byte offset of token 0 in the page
     * @param channels below {@link #MAX_WIDTH}, in any order
     * @param count at most {@link #slots}
     */
    public void write(MemorySegment page, long at, int token, int[] channels, float[] deltas, int count) {
        long first = at + bytes(token);
        for (int i = 0; i < slots; i++) {
            int entry = i < count ? Entry.of(channels[i], deltas[i]) : EMPTY;
            page.set(Entry.INT, first + (long) i * Entry.BYTES, entry);
        }
    }

    /**
     * Keys: {@code out[r][i] += queries[r][channel - channelFrom] * delta} for the entries of token {@code from + i}.
     *
     * @param queries {@code [rows][channelTo - channelFrom]}
     */
    public void addScores(
            MemorySegment page,
            long at,
            int channelFrom,
            int channelTo,
            float[] queries,
            int queryOffset,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride) {
        int headDim = channelTo - channelFrom;
        add(
                page,
                at,
                channelFrom,
                channelTo,
                from,
                to,
                rows,
                queries,
                queryOffset,
                1,
                0,
                headDim,
                out,
                outOffset,
                0,
                1,
                outStride);
    }

    /**
     * Values: {@code out[r][channel - channelFrom] += weights[r][i] * delta} for the entries of token {@code from + i}.
     *
     * @param weights {@code [rows]}, {@code weightStride} numbers apart
     * @param out {@code [rows][channelTo - channelFrom]}
     */
    public void addWeighted(
            MemorySegment page,
            long at,
            int channelFrom,
            int channelTo,
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset) {
        int headDim = channelTo - channelFrom;
        add(
                page,
                at,
                channelFrom,
                channelTo,
                from,
                to,
                rows,
                weights,
                weightOffset,
                0,
                1,
                weightStride,
                out,
                outOffset,
                1,
                0,
                headDim);
    }

    /** {@code tile[channel - channelFrom][i] += delta} for the entries of token {@code from + i}. */
    public void addTo(
            MemorySegment page,
            long at,
            int channelFrom,
            int channelTo,
            int from,
            int to,
            float[] tile,
            int tileOffset,
            int tileStride) {
        add(page, at, channelFrom, channelTo, from, to, 1, ONE, 0, 0, 0, 0, tile, tileOffset, tileStride, 1, 0);
    }

    /**
     * What all reads are: {@code out[c, t, r] += x[c, t, r] * delta} for each entry, channel {@code c} counted from {@code
     * channelFrom} and token {@code t} from {@code from}, either array with a stride for each of the three.
     */
    private void add(
            MemorySegment page,
            long at,
            int channelFrom,
            int channelTo,
            int from,
            int to,
            int rows,
            float[] x,
            int xOffset,
            int xChannel,
            int xToken,
            int xRow,
            float[] out,
            int outOffset,
            int outChannel,
            int outToken,
            int outRow) {
        for (int token = from; token < to; token++) {
            for (int slot = 0; slot < slots; slot += SparseKeys.MOST) {
                long first = at + bytes(token) + (long) slot * Entry.BYTES;
                int count = Math.min(SparseKeys.MOST, slots - slot);
                long found = SparseKeys.within(page, first, count, channelFrom, channelTo);
                for (; found != 0; found &= found - 1) {
                    int entry = page.get(Entry.INT, first + (long) Long.numberOfTrailingZeros(found) * Entry.BYTES);
                    int c = Entry.key(entry) - channelFrom;
                    int xAt = xOffset + c * xChannel + (token - from) * xToken;
                    int outAt = outOffset + c * outChannel + (token - from) * outToken;
                    Entry.add(x, xAt, xRow, rows, Entry.delta(entry), out, outAt, outRow);
                }
            }
        }
    }
}
