package dev.kvasir.cache.store;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * What one side (keys or values) of one KV head of one layer remembers: its tokens fill slots 0 to {@link #size} - 1.
 *
 * <p>Growth is in two steps. {@link #wantedBytes} says what the next tokens will need, {@link #reserve} takes it from a
 * claim; {@link #append} then allocates nothing. Pages shared with a fork are copied by {@code reserve} before they are
 * written to.
 */
public interface TokenStore {
    /** Tokens held. */
    int size();

    /** Bytes that {@link #reserve} would take for {@code tokens} more tokens. */
    long wantedBytes(int tokens);

    /** Makes room for {@code tokens} more tokens. */
    void reserve(int tokens, PagePool.Claim claim);

    /**
     * Stores {@code count} more tokens, for which room was reserved.
     *
     * @param rows {@code [count][headDim]} with {@code stride} numbers from row to row
     */
    void append(float[] rows, int offset, int stride, int count, Scratch scratch);

    /** Whether slots are in the order tokens came, and a token's content changes at most once after it came: when it {@linkplain #settled settles}. */
    default boolean keepsOrder() {
        return true;
    }

    /** Slots, from 0 on, whose content no later token changes, in a store that {@linkplain #keepsOrder keeps the order}. */
    default int settled() {
        return size();
    }

    /** The smallest size {@link #truncate} can bring this store to. */
    int smallestSize();

    /** Forgets all tokens from slot {@code size} on. */
    void truncate(int size);

    /** Bytes of the pages held, by kind. */
    Footprint footprint();

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
