package dev.kvasir.cache.attention;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.Reads;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Optional;

/**
 * What one layer of a sequence remembers: written a step at a time, read head by head. Its tokens fill slots 0 to {@link
 * #size} - 1 of a head; a slot need not be a position, nor every token seen have one.
 *
 * <p>{@link HeadStores} serves methods whose heads remember by themselves. A method whose heads share scales, rotations or
 * decisions implements this itself.
 *
 * <p>A step: {@link #begin}, then {@link #append} for each part, some at a time on several threads, then {@link #complete}
 * likewise, then {@link #end}. All of it comes after the attention of the step's tokens, unless {@link #storesFirst}.
 */
public interface LayerStore {
    /** Slots in use, of the head that uses most: its {@link #keys} and {@link #values} say how many a head uses. */
    int size();

    /** What slots have to do with positions. */
    enum Slots {
        /** Slot {@code i} of every head holds position {@code i}. */
        IN_ORDER,
        /** {@link #position} tells. */
        PLACED,
        /** Nobody knows: tokens are merged, or kept in an order of the method's own. Such a layer cannot have a window. */
        UNKNOWN
    }

    /** What slots have to do with positions; a layer with a window must know. */
    default Slots slots() {
        return Slots.UNKNOWN;
    }

    /** The position of the token in a slot of a head, where slots are {@link Slots#PLACED}. */
    default int position(int kvHead, int slot) {
        return slot;
    }

    /** The keys of a head. */
    KeyReader keys(int kvHead);

    /** The values of a head. */
    ValueReader values(int kvHead);

    /**
     * Whether all heads are read together, tile by tile, because a tile costs as much for one head as for all. A reader may
     * then {@linkplain Scratch#hold hold} the tile for the heads that follow.
     */
    default boolean readsHeadsTogether() {
        return false;
    }

    /**
     * Whether a step of {@code count} tokens is stored before it attends, so that its tokens see each other, and
     * themselves, as stored. Slots must then be in the order of positions.
     */
    default boolean storesFirst(int count) {
        return false;
    }

    /**
     * Most tokens of a step that attend at once: a longer step is cut, and each block is stored before the next one attends.
     * Bytes are reserved for the whole step all the same.
     *
     * @param position of the first token
     * @param count tokens left in the step
     */
    default int block(int position, int count) {
        return count;
    }

    /** A step comes: called before it attends, and before {@link #observer} and {@link #selector} are asked. Not called inside a worker's part. */
    default void open(TokenStates states, Queries queries) {}

    /** Parts of {@link #open(int, Scratch)} that may run at the same time. */
    default int openParts() {
        return 0;
    }

    /** Does one part of what must be ready before the step attends: where layers share what is read. */
    default void open(int part, Scratch scratch) {}

    /** Who chooses the slots that a step of {@code count} tokens reads; empty if it reads all. Such a step is not observed. */
    default Optional<SlotSelector> selector(int count) {
        return Optional.empty();
    }

    /**
     * Whether a step of {@code count} tokens is probed first: the observer then sees what its rows would give if all tokens
     * attended, before any has, and {@link #attending} says which do. Not together with {@link #storesFirst}.
     */
    default boolean probes(int count) {
        return false;
    }

    /**
     * The tokens of a probed step, counted from 0 and ascending, that attend, to each other and to what is stored; the others get
     * zeros. Asked once, after the observer has seen the probes.
     */
    default int[] attending() {
        throw new IllegalStateException("this layer does not probe");
    }

    /** Who wants to see the attention weights of the coming step. */
    default Optional<WeightObserver> observer() {
        return Optional.empty();
    }

    /** Bytes that {@link #reserve} would take for {@code tokens} more tokens. */
    long wantedBytes(int tokens);

    /** Makes room for {@code tokens} more tokens; what follows allocates nothing. */
    void reserve(int tokens, PagePool.Claim claim);

    /** Takes the states it will store: arrays are valid until {@link #end}. Not called inside a worker's part. */
    void begin(TokenStates states, Queries queries);

    /** Parts of {@link #append} that may run at the same time. */
    int appendParts();

    /** Stores one part of the step's tokens. */
    void append(int part, Scratch scratch);

    /** Parts of {@link #complete}, which may run at the same time once all of {@link #append} are done. */
    default int completeParts() {
        return 0;
    }

    /** Does one part of what needs the whole step stored: where heads share scales or choices. */
    default void complete(int part, Scratch scratch) {}

    /** All parts are done. */
    default void end() {}

    /** The step is over, with all its {@linkplain #block blocks}. */
    default void done() {}

    /** The smallest number of tokens seen that {@link #truncate} can bring this layer to. */
    int smallestSize();

    /** Forgets all tokens from position {@code size} on. */
    void truncate(int size);

    /** Bytes of the pages held, by kind. */
    Footprint footprint();

    /** What its steps of one token have read, where it reads only some slots. */
    default Reads reads() {
        return Reads.NONE;
    }

    /** Writes what {@link #read} needs. */
    void write(DataOutput out) throws IOException;

    /**
     * Fills this empty layer with what {@link #write} wrote when {@code size} tokens had been seen.
     *
     * @throws dev.kvasir.cache.CacheFileException if the content cannot be of this layer
     */
    void read(DataInput in, int size) throws IOException;

    /** Gives all pages back. */
    void release();
}
