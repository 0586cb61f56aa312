package dev.kvasir.cache.correction;

import dev.kvasir.cache.kernel.Element;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** A sparse entry of four bytes, little-endian: a 16-bit key that says where, then an F16 that says how much. */
final class Entry {
    static final int BYTES = 4;
    static final int KEYS = 1 << 16;

    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Entry() {}

    static int of(int key, float delta) {
        short bits = Float.floatToFloat16(Element.F16.round(delta));
        return (bits << 16) | key;
    }

    static int key(int entry) {
        return entry & (KEYS - 1);
    }

    static float delta(int entry) {
        return Float.float16ToFloat((short) (entry >>> 16));
    }

    /**
     * The first of the entries {@code from .. to - 1}, sorted by key, whose key is at least {@code key}. Without branches: where
     * a head's run begins is different for every token, and a wrong guess costs more than the whole search.
     */
    static int first(MemorySegment page, long at, int from, int to, int key) {
        int base = from;
        int count = to - from;
        while (count > 1) {
            int half = count >>> 1;
            base += half & less(page, at, base + half - 1, key);
            count -= half;
        }
        return count == 1 ? base - less(page, at, base, key) : base;
    }

    /** All bits if the entry's key is less than {@code key}, else none. */
    private static int less(MemorySegment page, long at, int entry, int key) {
        return (key(page.get(INT, at + (long) entry * BYTES)) - key) >> 31;
    }

    /** {@code out[r] += x[r] * delta}, for rows so far apart. */
    static void add(float[] x, int xAt, int xStride, int rows, float delta, float[] out, int outAt, int outStride) {
        for (int r = 0; r < rows; r++) {
            out[outAt + r * outStride] += x[xAt + r * xStride] * delta;
        }
    }
}
