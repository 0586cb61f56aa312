package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
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

    /** Numbers that {@link #gather} writes for an entry: channel, token, delta. */
    int ENTRY = 3;

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
     * Copies the entries of some channels and tokens, in an order that depends on the content alone.
     *
     * @param out receives channel - channelFrom, token - from and delta of each; long enough for {@link #most}
     * @return how many
     */
    int gather(int channelFrom, int channelTo, int from, int to, float[] out);

    /** The most entries that {@link #gather} can find for so many channels and tokens. */
    int most(int channels, int tokens);

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
