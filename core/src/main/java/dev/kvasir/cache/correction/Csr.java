package dev.kvasir.cache.correction;

import java.lang.foreign.MemorySegment;

/**
 * Sparse outliers of a chunk of tokens that is compressed at once: any number for a token or channel, their sum known
 * before. Rows of this sparse matrix are blocks of up to 32 tokens, within which entries run by channel, then token: a
 * head's entries of a block are one run, the query's channel changes rarely and the scores stay in cache.
 *
 * <pre>
 *   page  = start of block 0 | ... | start of block n-1 | entries     (int32 each, little-endian)
 *   entry = channel * blockTokens + token within the block: uint16 | delta: F16
 * </pre>
 *
 * <p>Source: the sparse part of GEAR, arXiv 2403.05527, section 3; the blocks are ours, since offsets for each token would
 * take as many bits as the entries of a narrow head.
 *
 * @param tokens of the chunk
 * @param width channels, of a head or of all heads of a layer, up to 65536
 * @param entries how many
 */
public record Csr(int tokens, int width, int entries) {
    /** What a tile gets is the delta itself; never written. */
    private static final float[] ONE = {1};

    /** Tokens of a block of a narrow head: whole tiles of keys. */
    private static final int BLOCK = 32;

    /** Checks the shape. */
    public Csr {
        if (tokens < 1 || width < 1 || width > Entry.KEYS || entries < 0) {
            throw new IllegalArgumentException(entries + " outliers in [" + tokens + "][" + width + "]");
        }
    }

    /** Tokens of a block: what a key has room for beside the channel, a power of two. */
    int blockTokens() {
        return Math.min(BLOCK, Integer.highestOneBit(Entry.KEYS / width));
    }

    private int blocks() {
        return Math.ceilDiv(tokens, blockTokens());
    }

    /** Bytes of the starts: 32 bits for each block of tokens. */
    public long indexBytes() {
        return 4L * blocks();
    }

    /** Bytes in a page: four for each entry, and the starts. */
    public long bytes() {
        return indexBytes() + (long) Entry.BYTES * entries;
    }

    private int start(MemorySegment page, long at, int block) {
        return block == blocks() ? entries : page.get(Entry.INT, at + 4L * block);
    }

    /** Whether a page that came from elsewhere holds outliers of this shape: in order, and each within the chunk. */
    public boolean sound(MemorySegment page, long at) {
        int shift = Integer.numberOfTrailingZeros(blockTokens());
        int next = 0;
        for (int block = 0; block < blocks(); block++) {
            int end = start(page, at, block + 1);
            if (start(page, at, block) != next || end < next || end > entries) {
                return false;
            }
            int last = -1;
            for (; next < end; next++) {
                int key = Entry.key(page.get(Entry.INT, at + indexBytes() + (long) next * Entry.BYTES));
                int token = (block << shift) + (key & (1 << shift) - 1);
                if (key < last || key >> shift >= width || token >= tokens) {
                    return false;
                }
                last = key;
            }
        }
        return true;
    }

    /**
     * Keys: {@code out[r][i] += queries[r][channel - channelFrom] * delta} for the entries of token {@code from + i}.
     *
     * @param at byte offset in the page
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
        int shift = Integer.numberOfTrailingZeros(blockTokens());
        long first = at + indexBytes();
        for (int block = from >> shift; block << shift < to; block++) {
            int end = start(page, at, block + 1);
            for (int i = Entry.first(page, first, start(page, at, block), end, channelFrom << shift); i < end; i++) {
                int entry = page.get(Entry.INT, first + (long) i * Entry.BYTES);
                int c = (Entry.key(entry) >> shift) - channelFrom;
                if (c >= channelTo - channelFrom) {
                    break;
                }
                int t = (block << shift) + (Entry.key(entry) & ((1 << shift) - 1)) - from;
                if (t >= 0 && t < to - from) {
                    int xAt = xOffset + c * xChannel + t * xToken;
                    int outAt = outOffset + c * outChannel + t * outToken;
                    Entry.add(x, xAt, xRow, rows, Entry.delta(entry), out, outAt, outRow);
                }
            }
        }
    }
}
