package dev.kvasir.cache.store;

import java.util.Arrays;

/** Buffers of one thread at work on one KV head; they stay in the processor's caches and grow only when a shape does. */
public final class Scratch {
    /** Slots of an attention tile. */
    public static final int TILE = 256;

    private float[] tile = new float[0];
    private float[] lanes = new float[0];
    private float[] work = new float[0];

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

    /** What a kernel needs for itself. */
    public float[] work(int size) {
        work = grown(work, size);
        return work;
    }

    /** {@code array} if it is long enough, else a longer one with the same content. */
    public static float[] grown(float[] array, int size) {
        return array.length >= size ? array : Arrays.copyOf(array, size);
    }
}
