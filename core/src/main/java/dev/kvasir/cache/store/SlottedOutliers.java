package dev.kvasir.cache.store;

import static dev.kvasir.cache.kernel.Element.F16;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.tensor.RotaryBlock;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Outliers with the same number of slots for every token. The slots of a block of up to 32 tokens are one sorted run, so
 * that what a head reads of a block lies together and is found by one search.
 *
 * <pre>
 *   page  = block 0 | block 1 | ...                          128 tokens
 *   block = entry | entry | ...                              slots * blockTokens, ascending; unused ones come last
 *   entry = int32: F16 delta in the low half, key in the high half, key = channel * blockTokens + token within the block
 * </pre>
 *
 * <p>Source: the fixed slots of KVQuant's released kernels; the order within a block is ours.
 */
public final class SlottedOutliers implements Outliers {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int PAGE_TOKENS = 128;
    private static final int WIDEST_BLOCK = 32;
    private static final int KEYS = 1 << 16;
    /** The highest key with nothing to add: in the order of unsigned numbers no entry that adds something comes after. */
    private static final int EMPTY = (KEYS - 1) << 16;

    private final int slots;
    private final int blockTokens;
    private final PageRun pages;
    /** The entries of the block at hand. */
    private final int[] block;

    private int size;
    /** Whether the newest block may hold entries of tokens that were forgotten. */
    private boolean stale;

    /**
     * An empty store.
     *
     * @param width channels, 1 to 65536
     * @param slots of a token, at least 1
     */
    public SlottedOutliers(PagePool pool, int width, int slots) {
        this(slots, blockTokens(width), new PageRun(pool, pageBytes(slots)));
    }

    private SlottedOutliers(int slots, int blockTokens, PageRun pages) {
        this.slots = slots;
        this.blockTokens = blockTokens;
        this.pages = pages;
        this.block = new int[slots * blockTokens];
    }

    private static int blockTokens(int width) {
        if (width < 1 || width > KEYS) {
            throw new IllegalArgumentException("outliers of " + width + " channels");
        }
        return Math.min(WIDEST_BLOCK, Integer.highestOneBit(KEYS / width));
    }

    private static long pageBytes(int slots) {
        return (long) PAGE_TOKENS * slots * Integer.BYTES;
    }

    /** Bytes of a store of {@code tokens} tokens: whole pages. */
    public static long bytes(int slots, int tokens) {
        return Math.ceilDiv(tokens, PAGE_TOKENS) * pageBytes(slots);
    }

    private static int pagesFor(int tokens) {
        return Math.ceilDiv(tokens, PAGE_TOKENS);
    }

    @Override
    public long wantedBytes(int more) {
        int wanted = pagesFor(size + more);
        return more == 0 ? 0 : pages.wantedBytes(wanted, size / PAGE_TOKENS, wanted);
    }

    @Override
    public void reserve(int more, PagePool.Claim claim) {
        if (more > 0) {
            int wanted = pagesFor(size + more);
            pages.reserve(wanted, size / PAGE_TOKENS, wanted, claim);
        }
    }

    @Override
    public void append(int[] channels, float[] deltas, int count) {
        if (count > slots) {
            throw new IllegalArgumentException(count + " outliers for " + slots + " slots");
        }
        int token = size % blockTokens;
        MemorySegment page = pages.page(size / PAGE_TOKENS);
        long start = start(size);
        if (token == 0) {
            Arrays.fill(block, EMPTY);
            stale = false;
        } else {
            MemorySegment.copy(page, INT, start, block, 0, block.length);
            if (stale) {
                forget(token);
            }
        }
        insert(token, channels, deltas, count);
        MemorySegment.copy(block, 0, page, INT, start, block.length);
        size++;
    }

    private long start(int token) {
        return (long) (token % PAGE_TOKENS / blockTokens) * block.length * Integer.BYTES;
    }

    /** Merges a token's entries into the sorted ones, from the last place on. */
    private void insert(int token, int[] channels, float[] deltas, int count) {
        int used = token * slots;
        while (used > 0 && block[used - 1] == EMPTY) {
            used--;
        }
        int to = used + count;
        int from = used - 1;
        for (int i = count - 1; i >= 0; i--) {
            int key = channels[i] * blockTokens + token;
            int entry = (key << 16) | (Float.floatToFloat16(F16.round(deltas[i])) & 0xffff);
            while (from >= 0 && Integer.compareUnsigned(block[from], entry) > 0) {
                block[--to] = block[from--];
            }
            block[--to] = entry;
        }
    }

    /** Drops the entries of tokens from {@code token} on. */
    private void forget(int token) {
        int kept = 0;
        for (int entry : block) {
            if (entry != EMPTY && (entry >>> 16) % blockTokens < token) {
                block[kept++] = entry;
            }
        }
        Arrays.fill(block, kept, block.length, EMPTY);
        stale = false;
    }

    /** Every page reserved is used. */
    @Override
    public void trim() {}

    @Override
    public void addTo(int channelFrom, int channelTo, int slot, float[] tile, Scratch scratch) {
        int shift = Integer.numberOfTrailingZeros(blockTokens);
        int end = Math.min(slot + WIDEST_BLOCK, size);
        int[] entries = scratch.entries(block.length);
        if (blockTokens == WIDEST_BLOCK) {
            // A key is a place in the tile.
            int base = channelFrom * WIDEST_BLOCK;
            int count = run(slot, base, channelTo * WIDEST_BLOCK, entries);
            for (int i = 0; i < count; i++) {
                tile[(entries[i] >>> 16) - base] += Float.float16ToFloat((short) entries[i]);
            }
            return;
        }
        for (int token = slot; token < end; token += blockTokens) {
            int count = run(token, channelFrom << shift, channelTo << shift, entries);
            for (int i = 0; i < count; i++) {
                int t = token - slot + ((entries[i] >>> 16) & (blockTokens - 1));
                int channel = (entries[i] >>> (16 + shift)) - channelFrom;
                tile[channel * WIDEST_BLOCK + t] += Float.float16ToFloat((short) entries[i]);
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
        int shift = Integer.numberOfTrailingZeros(blockTokens);
        int half = (channelTo - channelFrom) / 2;
        int end = Math.min(slot + WIDEST_BLOCK, size);
        int[] entries = scratch.entries(block.length);
        for (int token = slot; token < end; token += blockTokens) {
            int count = run(token, channelFrom << shift, channelTo << shift, entries);
            for (int i = 0; i < count; i++) {
                int t = token - slot + ((entries[i] >>> 16) & (blockTokens - 1));
                int channel = (entries[i] >>> (16 + shift)) - channelFrom;
                float gain = gain(rotary, query, channel, half, t);
                out[outOffset + t] += gain * Float.float16ToFloat((short) entries[i]);
            }
        }
    }

    /** What a query gains for each unit that is added to a channel of token {@code t} of a block before it is turned. */
    static float gain(RotaryBlock rotary, float[] query, int channel, int half, int t) {
        boolean low = channel < half;
        int at = (low ? channel : channel - half) * WIDEST_BLOCK + t;
        float other = low ? query[channel + half] : -query[channel - half];
        return rotary.cosines()[at] * query[channel] + rotary.sines()[at] * other;
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
        int shift = Integer.numberOfTrailingZeros(blockTokens);
        int headDim = channelTo - channelFrom;
        int end = Math.min(to, size);
        int[] entries = scratch.entries(block.length);
        for (int token = from & -blockTokens; token < end; token += blockTokens) {
            int count = run(token, channelFrom << shift, channelTo << shift, entries);
            if (token < from || token + blockTokens > end) {
                count = keep(entries, count, from - token, end - token);
            }
            for (int r = 0; r < rows; r++) {
                int o = outOffset + r * headDim - channelFrom;
                int w = weightOffset + r * weightStride + token - from;
                add(entries, count, shift, weights, w, out, o);
            }
        }
    }

    /**
     * {@code out[o + channel] += weights[w + token] * delta} for each entry, in four places of the run by turns: neighbours are
     * of the same channel, and each would wait for the sum of the one before.
     */
    private static void add(int[] entries, int count, int shift, float[] weights, int w, float[] out, int o) {
        int quarter = count / 4;
        for (int i = 0; i < quarter; i++) {
            addOne(entries[i], shift, weights, w, out, o);
            addOne(entries[quarter + i], shift, weights, w, out, o);
            addOne(entries[2 * quarter + i], shift, weights, w, out, o);
            addOne(entries[3 * quarter + i], shift, weights, w, out, o);
        }
        for (int i = 4 * quarter; i < count; i++) {
            addOne(entries[i], shift, weights, w, out, o);
        }
    }

    private static void addOne(int entry, int shift, float[] weights, int w, float[] out, int o) {
        int key = entry >>> 16;
        out[o + (key >>> shift)] += weights[w + (key & ((1 << shift) - 1))] * Float.float16ToFloat((short) entry);
    }

    /** Moves the entries of a block's tokens {@code from} to {@code to - 1} to the front; returns how many. */
    private int keep(int[] entries, int count, int from, int to) {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            int t = (entries[i] >>> 16) & (blockTokens - 1);
            if (t >= from && t < to) {
                entries[kept++] = entries[i];
            }
        }
        return kept;
    }

    /** Copies a block's entries with keys from {@code keyFrom} to {@code keyTo - 1}; returns how many. */
    private int run(int token, int keyFrom, int keyTo, int[] out) {
        MemorySegment page = pages.page(token / PAGE_TOKENS);
        long start = start(token);
        // Among what was forgotten the entries of the newest block may stand anywhere.
        int limit = stale ? block.length : Math.min(blockTokens, size - token) * slots;
        int first = first(page, start, 0, limit, keyFrom);
        int count = first(page, start, first, limit, keyTo) - first;
        MemorySegment.copy(page, INT, start + (long) first * Integer.BYTES, out, 0, count);
        return count;
    }

    /** The first of the entries {@code from} to {@code to - 1} whose key is at least {@code key}; without branches, which nobody could predict. */
    private static int first(MemorySegment page, long start, int from, int to, int key) {
        int low = from;
        int count = to - from;
        while (count > 0) {
            int half = (count + 1) >>> 1;
            int below = ((page.get(INT, start + (long) (low + half - 1) * Integer.BYTES) >>> 16) - key) >>> 31;
            low += below * half;
            count -= half;
        }
        return low;
    }

    @Override
    public void truncate(int newSize) {
        stale |= newSize < size;
        size = newSize;
        pages.shrink(pagesFor(newSize));
    }

    @Override
    public Footprint footprint() {
        return new Footprint(0, 0, 0, pages.bytes(), 0);
    }

    @Override
    public SlottedOutliers fork() {
        SlottedOutliers fork = new SlottedOutliers(slots, blockTokens, pages.fork());
        fork.size = size;
        fork.stale = stale;
        return fork;
    }

    @Override
    public void write(DataOutput out) throws IOException {
        pages.write(out, pagesFor(size));
    }

    @Override
    public void read(DataInput in, int newSize) throws IOException {
        pages.read(in, pagesFor(newSize));
        size = newSize;
        // Whoever wrote it may have had something to forget.
        stale = true;
        for (int token = 0; token < size; token += blockTokens) {
            MemorySegment.copy(pages.page(token / PAGE_TOKENS), INT, start(token), block, 0, block.length);
            for (int i = 1; i < block.length; i++) {
                if (Integer.compareUnsigned(block[i - 1], block[i]) > 0) {
                    throw new CacheFileException("outliers of token " + token + ": entry " + i + " is "
                            + Integer.toHexString(block[i]) + ", allowed are ascending ones");
                }
            }
        }
    }

    @Override
    public void release() {
        truncate(0);
    }
}
