package dev.kvasir.cache.store;

import static dev.kvasir.cache.kernel.Element.F16;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.tensor.RotaryBlock;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Outliers of which a token may have any number, behind a pointer for each token. A step needs room for the worst case
 * until it is stored; what it did not use goes back then.
 *
 * <pre>
 *   pointers = end of token 0 | end of token 1 | ...     int32 each, 1024 in a page
 *   entries  = of token 0 | of token 1 | ...             int32 each, 1024 in a page, ascending by channel within a token
 *   entry    = F16 delta in the low half, channel in the high half
 * </pre>
 *
 * <p>Source: the sparse rows of KVQuant, arXiv 2401.18079, section 3.5.
 */
public final class CountedOutliers implements Outliers {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int PANEL = 32;
    private static final int PER_PAGE = 1024;
    private static final long PAGE_BYTES = (long) PER_PAGE * Integer.BYTES;
    private static final int MAX_WIDTH = 1 << 16;

    private final int width;
    private final PageRun pointers;
    private final PageRun entries;
    private int size;

    /**
     * An empty store.
     *
     * @param width channels, 1 to 65536
     */
    public CountedOutliers(PagePool pool, int width) {
        this(width, new PageRun(pool, PAGE_BYTES), new PageRun(pool, PAGE_BYTES));
        if (width < 1 || width > MAX_WIDTH) {
            throw new IllegalArgumentException("outliers of " + width + " channels");
        }
    }

    private CountedOutliers(int width, PageRun pointers, PageRun entries) {
        this.width = width;
        this.pointers = pointers;
        this.entries = entries;
    }

    /** Bytes of a store of {@code tokens} tokens with so many entries in all: whole pages. */
    public static long bytes(int tokens, long entries) {
        return (Math.ceilDiv(tokens, PER_PAGE) + Math.ceilDiv(entries, PER_PAGE)) * PAGE_BYTES;
    }

    /** Entries of all tokens. */
    public int count() {
        return end(size - 1);
    }

    private static int pagesFor(long numbers) {
        return Math.toIntExact(Math.ceilDiv(numbers, (long) PER_PAGE));
    }

    private static int get(PageRun run, int index) {
        return run.page(index / PER_PAGE).get(INT, index % PER_PAGE * (long) Integer.BYTES);
    }

    private static void set(PageRun run, int index, int value) {
        run.page(index / PER_PAGE).set(INT, index % PER_PAGE * (long) Integer.BYTES, value);
    }

    private int end(int token) {
        return token < 0 ? 0 : get(pointers, token);
    }

    @Override
    public long wantedBytes(int more) {
        if (more == 0) {
            return 0;
        }
        int tokens = pagesFor(size + more);
        int wanted = pagesFor(count() + (long) more * width);
        return pointers.wantedBytes(tokens, size / PER_PAGE, tokens)
                + entries.wantedBytes(wanted, count() / PER_PAGE, wanted);
    }

    @Override
    public void reserve(int more, PagePool.Claim claim) {
        if (more > 0) {
            int tokens = pagesFor(size + more);
            int wanted = pagesFor(count() + (long) more * width);
            pointers.reserve(tokens, size / PER_PAGE, tokens, claim);
            entries.reserve(wanted, count() / PER_PAGE, wanted, claim);
        }
    }

    @Override
    public void append(int[] channels, float[] deltas, int count) {
        int at = count();
        for (int i = 0; i < count; i++) {
            short delta = Float.floatToFloat16(F16.round(deltas[i]));
            set(entries, at + i, (channels[i] << 16) | (delta & 0xffff));
        }
        set(pointers, size, at + count);
        size++;
    }

    @Override
    public void trim() {
        pointers.shrink(pagesFor(size));
        entries.shrink(pagesFor(count()));
    }

    @Override
    public void addTo(int channelFrom, int channelTo, int slot, float[] tile, Scratch scratch) {
        for (int token = slot; token < Math.min(slot + PANEL, size); token++) {
            int end = end(token);
            for (int i = first(end(token - 1), end, channelFrom); i < end; i++) {
                int entry = get(entries, i);
                int channel = entry >>> 16;
                if (channel >= channelTo) {
                    break;
                }
                tile[(channel - channelFrom) * PANEL + token - slot] += Float.float16ToFloat((short) entry);
            }
        }
    }

    @Override
    public void addTurned(
            int channelFrom,
            int channelTo,
            int slot,
            RotaryBlock rotary,
            float[] query,
            float[] out,
            int outOffset,
            Scratch scratch) {
        int half = (channelTo - channelFrom) / 2;
        for (int token = slot; token < Math.min(slot + PANEL, size); token++) {
            int end = end(token);
            for (int i = first(end(token - 1), end, channelFrom); i < end; i++) {
                int channel = (get(entries, i) >>> 16) - channelFrom;
                if (channel >= 2 * half) {
                    break;
                }
                float gain = SlottedOutliers.gain(rotary, query, channel, half, token - slot);
                out[outOffset + token - slot] += gain * Float.float16ToFloat((short) get(entries, i));
            }
        }
    }

    @Override
    public void addWeighted(
            int channelFrom,
            int channelTo,
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch) {
        int headDim = channelTo - channelFrom;
        for (int token = from; token < Math.min(to, size); token++) {
            int end = end(token);
            for (int i = first(end(token - 1), end, channelFrom); i < end; i++) {
                int entry = get(entries, i);
                int channel = entry >>> 16;
                if (channel >= channelTo) {
                    break;
                }
                float delta = Float.float16ToFloat((short) entry);
                int o = outOffset + channel - channelFrom;
                int w = weightOffset + token - from;
                for (int r = 0; r < rows; r++) {
                    out[o + r * headDim] += weights[w + r * weightStride] * delta;
                }
            }
        }
    }

    /** The first of a token's entries whose channel is at least {@code channel}. */
    private int first(int from, int to, int channel) {
        int low = from;
        int high = to;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (get(entries, middle) >>> 16 < channel) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    @Override
    public void truncate(int newSize) {
        size = newSize;
        trim();
    }

    @Override
    public Footprint footprint() {
        return new Footprint(0, 0, 0, pointers.bytes() + entries.bytes(), 0);
    }

    @Override
    public CountedOutliers fork() {
        CountedOutliers fork = new CountedOutliers(width, pointers.fork(), entries.fork());
        fork.size = size;
        return fork;
    }

    @Override
    public void write(DataOutput out) throws IOException {
        pointers.write(out, pagesFor(size));
        entries.write(out, pagesFor(count()));
    }

    @Override
    public void read(DataInput in, int newSize) throws IOException {
        pointers.read(in, pagesFor(newSize));
        int before = 0;
        for (int token = 0; token < newSize; token++) {
            int end = get(pointers, token);
            if (end < before || end - before > width) {
                throw new CacheFileException("outliers of token " + token + " end at " + end + ", allowed are " + before
                        + " to " + ((long) before + width));
            }
            before = end;
        }
        entries.read(in, pagesFor(before));
        size = newSize;
        checkChannels();
    }

    /** Ascending and below the width, so that no token has more entries than a reader makes room for. */
    private void checkChannels() {
        for (int token = 0; token < size; token++) {
            int before = -1;
            for (int i = end(token - 1); i < end(token); i++) {
                int channel = get(entries, i) >>> 16;
                if (channel <= before || channel >= width) {
                    throw new CacheFileException("outlier of token " + token + ": channel " + channel + ", allowed are "
                            + (before + 1) + " to " + (width - 1));
                }
                before = channel;
            }
        }
    }

    @Override
    public void release() {
        truncate(0);
    }
}
