package dev.kvasir.cache.store;

import static dev.kvasir.cache.kernel.Element.F16;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
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
            int entry = key << 16 | Float.floatToFloat16(F16.round(deltas[i])) & 0xffff;
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
    public int gather(int channelFrom, int channelTo, int from, int to, float[] out) {
        int count = 0;
        int mask = blockTokens - 1;
        int shift = Integer.numberOfTrailingZeros(blockTokens);
        int end = Math.min(to, size);
        for (int token = from & ~mask; token < end; token += blockTokens) {
            MemorySegment page = pages.page(token / PAGE_TOKENS);
            long start = start(token);
            // Among what was forgotten the entries of the newest block may stand anywhere.
            int limit = stale ? block.length : Math.min(blockTokens, size - token) * slots;
            for (int i = first(page, start, limit, channelFrom << shift); i < limit; i++) {
                int entry = page.get(INT, start + (long) i * Integer.BYTES);
                int channel = entry >>> 16 + shift;
                if (channel >= channelTo) {
                    break;
                }
                int t = token + (entry >>> 16 & mask);
                if (t >= from && t < end) {
                    out[count] = channel - channelFrom;
                    out[count + 1] = t - from;
                    out[count + 2] = Float.float16ToFloat((short) entry);
                    count += ENTRY;
                }
            }
        }
        return count / ENTRY;
    }

    /** The first of {@code limit} entries whose key is at least {@code key}. */
    private static int first(MemorySegment page, long start, int limit, int key) {
        int low = 0;
        int high = limit;
        while (low < high) {
            int middle = low + high >>> 1;
            if (page.get(INT, start + (long) middle * Integer.BYTES) >>> 16 < key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    @Override
    public int most(int channels, int tokens) {
        return (tokens + 2 * blockTokens) * slots;
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
    }

    @Override
    public void release() {
        truncate(0);
    }
}
