package dev.kvasir.cache.lookup;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.function.IntFunction;

/** What a layer keeps of its tokens to choose by, beside what stores them. Grows as a {@link dev.kvasir.cache.attention.LayerStore} does. */
public interface TokenIndex {
    /** Whether a lone token at {@code position} reads only some of those before it. */
    boolean chooses(int position);

    /** A step of one token that chooses begins. Not called inside a worker's part. */
    void open(Queries queries);

    /**
     * Marks what all query heads of a KV head read, their own top-K each, and what every step reads.
     *
     * @param queries {@code [rows][headDim]}, after RoPE and scaled
     * @param position of the step's token; slots below it are the tokens before
     */
    void choose(int kvHead, float[] queries, int rows, int position, Chosen chosen, Scratch scratch);

    /** Bytes of the index that {@link #choose} reads for a KV head. */
    long indexBytes(int position);

    /** Bytes of tables shared by all sequences that {@link #choose} reads for a KV head. */
    long tableBytes();

    /** Bytes that {@link #reserve} would take. */
    long wantedBytes(int tokens);

    /** Makes room for {@code tokens} more tokens. */
    void reserve(int tokens, PagePool.Claim claim);

    /**
     * Takes the states of the step's tokens. Not called inside a worker's part.
     *
     * @param keys the store's, of the tokens before the step
     */
    void begin(TokenStates states, IntFunction<KeyReader> keys);

    /** Parts of {@link #append} that may run at the same time. */
    int appendParts();

    /** Takes one part of the step's tokens in. */
    void append(int part, Scratch scratch);

    /** All parts are done. */
    default void end() {}

    /** Forgets all tokens from {@code size} on. */
    void truncate(int size);

    /** Bytes of the pages held. */
    Footprint footprint();

    /** A second index with the same content. */
    TokenIndex fork();

    /** Writes what {@link #read} needs. */
    void write(DataOutput out) throws IOException;

    /**
     * Fills this empty index with what was written of {@code size} tokens.
     *
     * @throws dev.kvasir.cache.CacheFileException if the content cannot be of this index
     */
    void read(DataInput in, int size) throws IOException;

    /** Gives all pages back. */
    void release();
}
