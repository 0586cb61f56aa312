package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** Finds sparse entries by their keys, the low 16 bits of little-endian int32. */
public final class SparseKeys {
    /** Entries of one search. */
    public static final int MOST = 64;

    private static final int KEY = 0xffff;

    private SparseKeys() {}

    /**
     * Bit {@code i} is set if the key of entry {@code i} is in {@code [keyFrom, keyTo)}. All entries at once: where they lie is
     * different for every token, and wrong guesses of branches would cost more than the comparisons.
     *
     * @param at byte offset of entry 0
     * @param count up to 64
     */
    public static long within(MemorySegment page, long at, int count, int keyFrom, int keyTo) {
        long found = 0;
        int i = 0;
        for (; i < count && at + 4L * (i + V) <= page.byteSize(); i += V) {
            IntVector keys = IntVector.fromMemorySegment(I, page, at + 4L * i, ByteOrder.LITTLE_ENDIAN)
                    .and(KEY);
            VectorMask<Integer> in = keys.sub(keyFrom).compare(VectorOperators.ULT, keyTo - keyFrom);
            found |= in.toLong() << i;
        }
        if (i < count) {
            found |= scalar(page, at + 4L * i, count - i, keyFrom, keyTo) << i;
        }
        // What was read beyond the entries belongs to others.
        return count == MOST ? found : found & ((1L << count) - 1);
    }

    /** The oracle of {@link #within}. */
    static long scalar(MemorySegment page, long at, int count, int keyFrom, int keyTo) {
        long found = 0;
        for (int i = 0; i < count; i++) {
            int key = page.get(PackedLayout.INT, at + 4L * i) & KEY;
            found |= key >= keyFrom && key < keyTo ? 1L << i : 0;
        }
        return found;
    }
}
