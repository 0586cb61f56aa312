package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.tensor.RotaryBlock;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * What a store of tokens lost where a number did not fit its codes: a few (channel, delta) pairs for each token, over the
 * channels of all heads of a layer. Tokens come one by one, in order.
 *
 * <p>Source: the dense-and-sparse split of KVQuant, arXiv 2401.18079, section 3.5.
 */
public sealed interface Outliers permits SlottedOutliers, CountedOutliers, NoOutliers {
    /** Keeps none and takes no bytes. */
    Outliers NONE = new NoOutliers();

    /** Bytes that {@link #reserve} would take for {@code more} tokens. */
    long wantedBytes(int more);

    /** Makes room for {@code more} tokens. */
    void reserve(int more, PagePool.Claim claim);

    /**
     * The outliers of the next token.
     *
     * @param channels ascending
     * @param deltas what has to be added; stored as F16
     */
    void append(int[] channels, float[] deltas, int count);

    /** Gives back what was reserved and not used. */
    void trim();

    /**
     * Keys: {@code tile[channel - channelFrom][i] += delta} for the entries of 32 tokens.
     *
     * @param slot of the first, a multiple of 32
     * @param tile {@code [channelTo - channelFrom][32]}
     */
    void addTo(int channelFrom, int channelTo, int slot, float[] tile, Scratch scratch);

    /**
     * Keys before RoPE: adds to the scores of 32 tokens what one query gains by the deltas once they are turned.
     *
     * @param slot of the first, a multiple of 32
     * @param query turned back to the slot, {@code [channelTo - channelFrom]}
     * @param out the scores
     */
    void addTurned(
            int channelFrom,
            int channelTo,
            int slot,
            RotaryBlock rotary,
            float[] query,
            float[] out,
            int outOffset,
            Scratch scratch);

    /**
     * Values: {@code out[r][channel - channelFrom] += weights[r][i] * delta} for the entries of token {@code from + i}.
     *
     * @param weights {@code [rows]}, {@code weightStride} numbers apart
     * @param out {@code [rows][channelTo - channelFrom]}
     */
    void addWeighted(
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
            Scratch scratch);

    /** Forgets all tokens from {@code size} on. */
    void truncate(int size);

    /** All pages, as indices. */
    Footprint footprint();

    /** A second store with the same content, which shares this one's pages. */
    Outliers fork();

    /** Writes what {@link #read} needs. */
    void write(DataOutput out) throws IOException;

    /**
     * Fills this empty store with what {@link #write} wrote of {@code size} tokens.
     *
     * @throws dev.kvasir.cache.CacheFileException if the content cannot be of this store
     */
    void read(DataInput in, int size) throws IOException;

    /** Gives all pages back. */
    void release();
}
