package dev.kvasir.cache.correction;

import java.lang.foreign.MemorySegment;

/**
 * Sparse outliers of a chunk of tokens that is compressed at once: any number for a token or channel, their sum known
 * before. A row of this sparse matrix is a head's part of a block of 32 tokens, within which entries run by channel, then
 * token: what a head reads is one run, the query's channel changes rarely and the scores stay in cache.
 *
 * <pre>
 *   page  = start of head 0, block 0 | block 1 | ... | start of head 1, block 0 | ... | entries     (int32, little-endian)
 *   entry = channel of the head * 32 + token within the block: uint16 | delta: F16
 * </pre>
 *
 * <p>Source: the sparse part of GEAR, arXiv 2403.05527, section 3; the blocks are ours, since offsets for each token would
 * take as many bits as the entries of a narrow head.
 *
 * @param tokens of the chunk
 * @param heads that are written together
 * @param headDim channels of a head, up to 2048
 * @param entries how many
 */
public record Csr(int tokens, int heads, int headDim, int entries) {
    /** What a tile gets is the delta itself; never written. */
    private static final float[] ONE = {1};

    /** Tokens of a block: a whole panel of keys. */
    static final int BLOCK = 32;

    static final int SHIFT = 5;

    /** Checks the shape. */
    public Csr {
        if (tokens < 1 || heads < 1 || headDim < 1 || headDim > Entry.KEYS / BLOCK || entries < 0) {
            throw new IllegalArgumentException(
                    entries + " outliers in [" + tokens + "][" + heads + "][" + headDim + "]");
        }
    }

    int blocks() {
        return Math.ceilDiv(tokens, BLOCK);
    }

    /** Bytes of the starts: 32 bits for each head and block of tokens. */
    public long indexBytes() {
        return 4L * heads * blocks();
    }

    /** Bytes in a page: four for each entry, and the starts. */
    public long bytes() {
        return indexBytes() + (long) Entry.BYTES * entries;
    }

    private int start(MemorySegment page, long at, int row) {
        return row == heads * blocks() ? entries : page.get(Entry.INT, at + 4L * row);
    }

    /** Whether a page that came from elsewhere holds outliers of this shape: in order, and each within the chunk. */
    public boolean sound(MemorySegment page, long at) {
        int next = 0;
        for (int row = 0; row < heads * blocks(); row++) {
            int end = start(page, at, row + 1);
            if (start(page, at, row) != next || end < next || end > entries) {
                return false;
            }
            int first = row % blocks() * BLOCK;
            int last = -1;
            for (; next < end; next++) {
                int key = Entry.key(page.get(Entry.INT, at + indexBytes() + (long) next * Entry.BYTES));
                if (key < last || key >> SHIFT >= headDim || first + key % BLOCK >= tokens) {
                    return false;
                }
                last = key;
            }
        }
        return true;
    }

    /**
     * Keys: {@code out[r][i] += queries[r][channel] * delta} for the entries of a head's token {@code from + i}.
     *
     * @param at byte offset in the page
     * @param queries {@code [rows][headDim]}
     */
    public void addScores(
            MemorySegment page,
            long at,
            int head,
            float[] queries,
            int queryOffset,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride) {
        for (int block = from / BLOCK; block * BLOCK < to; block++) {
            int begin = start(page, at, head * blocks() + block);
            int count = start(page, at, head * blocks() + block + 1) - begin;
            long first = at + indexBytes() + (long) begin * Entry.BYTES;
            int o = outOffset + block * BLOCK - from;
            boolean whole = whole(block, from, to);
            int r = 0;
            for (; whole && r + 4 <= rows; r += 4) {
                int q = queryOffset + r * headDim;
                Entry.addToTokens4(page, first, count, queries, q, headDim, out, o + r * outStride, outStride);
            }
            for (; r < rows; r++) {
                int q = queryOffset + r * headDim;
                if (whole) {
                    Entry.addToTokens(page, first, count, queries, q, out, o + r * outStride);
                } else {
                    addSome(page, first, count, block, from, to, queries, q, 1, 0, out, o + r * outStride, 0, 1);
                }
            }
        }
    }

    /**
     * Values: {@code out[r][channel] += weights[r][i] * delta} for the entries of a head's token {@code from + i}.
     *
     * @param weights {@code [rows]}, {@code weightStride} numbers apart
     * @param out {@code [rows][headDim]}
     */
    public void addWeighted(
            MemorySegment page,
            long at,
            int head,
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset) {
        for (int block = from / BLOCK; block * BLOCK < to; block++) {
            int begin = start(page, at, head * blocks() + block);
            int count = start(page, at, head * blocks() + block + 1) - begin;
            long first = at + indexBytes() + (long) begin * Entry.BYTES;
            boolean whole = whole(block, from, to);
            int w = weightOffset + block * BLOCK - from;
            int r = 0;
            for (; whole && r + 4 <= rows; r += 4) {
                int x = w + r * weightStride;
                int o = outOffset + r * headDim;
                Entry.addToChannels4(page, first, count, weights, x, weightStride, out, o, headDim);
            }
            for (; r < rows; r++) {
                int x = w + r * weightStride;
                int o = outOffset + r * headDim;
                if (whole) {
                    Entry.addToChannels(page, first, count, weights, x, 1, out, o, 1, 0);
                } else {
                    addSome(page, first, count, block, from, to, weights, x, 0, 1, out, o, 1, 0);
                }
            }
        }
    }

    /** {@code tile[channel, i] += delta} for the entries of a head's token {@code from + i}, with strides for both. */
    public void addTo(
            MemorySegment page,
            long at,
            int head,
            int from,
            int to,
            float[] tile,
            int tileOffset,
            int channelStride,
            int tokenStride) {
        for (int block = from / BLOCK; block * BLOCK < to; block++) {
            int begin = start(page, at, head * blocks() + block);
            int count = start(page, at, head * blocks() + block + 1) - begin;
            long first = at + indexBytes() + (long) begin * Entry.BYTES;
            int t = tileOffset + (block * BLOCK - from) * tokenStride;
            if (whole(block, from, to)) {
                Entry.addToChannels(page, first, count, ONE, 0, 0, tile, t, channelStride, tokenStride);
            } else {
                addSome(page, first, count, block, from, to, ONE, 0, 0, 0, tile, t, channelStride, tokenStride);
            }
        }
    }

    private boolean whole(int block, int from, int to) {
        return block * BLOCK >= from && Math.min(tokens, (block + 1) * BLOCK) <= to;
    }

    /** The entries of a block that belong to tokens {@code from} to {@code to - 1}. */
    private static void addSome(
            MemorySegment page,
            long first,
            int count,
            int block,
            int from,
            int to,
            float[] x,
            int xAt,
            int xChannel,
            int xToken,
            float[] out,
            int outAt,
            int outChannel,
            int outToken) {
        for (int i = 0; i < count; i++) {
            int entry = page.get(Entry.INT, first + (long) i * Entry.BYTES);
            int c = Entry.key(entry) >> SHIFT;
            int t = Entry.key(entry) % BLOCK;
            if (block * BLOCK + t >= from && block * BLOCK + t < to) {
                out[outAt + c * outChannel + t * outToken] += x[xAt + c * xChannel + t * xToken] * Entry.delta(entry);
            }
        }
    }
}
