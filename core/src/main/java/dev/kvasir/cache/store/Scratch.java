package dev.kvasir.cache.store;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Buffers of one thread at work on one part of a step; they stay in the processor's caches and grow only when a shape does. */
public final class Scratch {
    /** Slots of an attention tile. */
    public static final int TILE = 256;

    private float[] tile = new float[0];
    private float[] lanes = new float[0];
    private float[] work = new float[0];
    private float[] spare = new float[0];
    private float[] chained = new float[0];
    private float[] selected = new float[0];
    private int[] entries = new int[0];
    private int[] tokens = new int[0];
    private int rowsPerToken = 1;
    private float[] held = new float[0];
    private @Nullable Object holder;
    private int heldSlot;

    /** A tile of unpacked keys or values of at least {@code size} numbers. */
    public float[] tile(int size) {
        tile = grown(tile, size);
        return tile;
    }

    /** A few rows beside the tile, of at least {@code size} numbers. */
    public float[] lanes(int size) {
        lanes = grown(lanes, size);
        return lanes;
    }

    /** Rows for a store that is made of stores, of at least {@code size} numbers; those inside do not touch it. */
    public float[] spare(int size) {
        spare = grown(spare, size);
        return spare;
    }

    /** Scores on their way through a {@link KeyChain}. */
    float[] chained(int size) {
        chained = grown(chained, size);
        return chained;
    }

    /** A run of slots of which some are wanted. */
    float[] selected(int size) {
        selected = grown(selected, size);
        return selected;
    }

    /**
     * Says that rows of queries come from tokens {@code from} to {@code to - 1} of the step, {@code perToken} rows each.
     *
     * @see #token
     */
    public void rows(int from, int to, int perToken) {
        tokens = tokens.length >= to - from ? tokens : new int[to - from];
        rowsPerToken = perToken;
        for (int t = from; t < to; t++) {
            tokens[t - from] = t;
        }
    }

    /** Says that the {@code i}th token of which there are rows is {@code token}. */
    public void row(int i, int token) {
        tokens[i] = token;
    }

    /** The token of the step, counted from 0, that row {@code row} of the queries given to {@link KeyReader#prepare} belongs to. */
    public int token(int row) {
        return tokens[row / rowsPerToken];
    }

    /** Entries of a sparse store on their way to a reader. */
    int[] entries(int size) {
        entries = entries.length >= size ? entries : new int[size];
        return entries;
    }

    /** What a kernel needs for itself. */
    public float[] work(int size) {
        work = grown(work, size);
        return work;
    }

    /**
     * A tile that several heads read one after the other, of at least {@code size} numbers.
     *
     * @see #holds
     */
    public float[] hold(Object owner, int slot, int size) {
        held = grown(held, size);
        holder = owner;
        heldSlot = slot;
        return held;
    }

    /** Whether the held tile is that of {@code owner} from {@code slot} on, so that it need not be made again. */
    @SuppressWarnings("ReferenceEquality") // the very owner, not an equal one
    public boolean holds(Object owner, int slot) {
        return holder == owner && heldSlot == slot;
    }

    /** The held tile. */
    public float[] held() {
        return held;
    }

    /** Forgets whose tile is held: what was stored may have changed. */
    public void letGo() {
        holder = null;
    }

    /** {@code array} if it is long enough, else a longer one with the same content. */
    public static float[] grown(float[] array, int size) {
        return array.length >= size ? array : Arrays.copyOf(array, size);
    }
}
