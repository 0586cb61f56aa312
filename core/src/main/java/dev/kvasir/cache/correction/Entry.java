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

    /** {@code out[r] += x[r] * delta}, for rows so far apart. */
    static void add(float[] x, int xAt, int xStride, int rows, float delta, float[] out, int outAt, int outStride) {
        for (int r = 0; r < rows; r++) {
            out[outAt + r * outStride] += x[xAt + r * xStride] * delta;
        }
    }

    /** All entries of a {@link Csr} row for keys: {@code out[token] += x[channel] * delta}. */
    static void addToTokens(MemorySegment page, long at, int count, float[] x, int xAt, float[] out, int outAt) {
        for (int i = 0; i < count; i++) {
            int entry = page.get(INT, at + (long) i * BYTES);
            int key = key(entry);
            out[outAt + (key & (Csr.BLOCK - 1))] += x[xAt + (key >> Csr.SHIFT)] * delta(entry);
        }
    }

    /** {@link #addToTokens} for four rows, so that an entry is taken apart once. */
    static void addToTokens4(
            MemorySegment page,
            long at,
            int count,
            float[] x,
            int xAt,
            int xStride,
            float[] out,
            int outAt,
            int outStride) {
        for (int i = 0; i < count; i++) {
            int entry = page.get(INT, at + (long) i * BYTES);
            int key = key(entry);
            float delta = delta(entry);
            int o = outAt + (key & (Csr.BLOCK - 1));
            int in = xAt + (key >> Csr.SHIFT);
            out[o] += x[in] * delta;
            out[o + outStride] += x[in + xStride] * delta;
            out[o + 2 * outStride] += x[in + 2 * xStride] * delta;
            out[o + 3 * outStride] += x[in + 3 * xStride] * delta;
        }
    }

    /** {@link #addToChannels} for four rows of values. */
    static void addToChannels4(
            MemorySegment page,
            long at,
            int count,
            float[] x,
            int xAt,
            int xStride,
            float[] out,
            int outAt,
            int outStride) {
        for (int i = 0; i < count; i++) {
            int entry = page.get(INT, at + (long) i * BYTES);
            int key = key(entry);
            float delta = delta(entry);
            int o = outAt + (key >> Csr.SHIFT);
            int in = xAt + (key & (Csr.BLOCK - 1));
            out[o] += x[in] * delta;
            out[o + outStride] += x[in + xStride] * delta;
            out[o + 2 * outStride] += x[in + 2 * xStride] * delta;
            out[o + 3 * outStride] += x[in + 3 * xStride] * delta;
        }
    }

    /** All entries of a {@link Csr} row for values or a tile: {@code out[channel, token] += x[token] * delta}. */
    static void addToChannels(
            MemorySegment page,
            long at,
            int count,
            float[] x,
            int xAt,
            int xToken,
            float[] out,
            int outAt,
            int outChannel,
            int outToken) {
        for (int i = 0; i < count; i++) {
            int entry = page.get(INT, at + (long) i * BYTES);
            int key = key(entry);
            int token = key & (Csr.BLOCK - 1);
            int o = outAt + (key >> Csr.SHIFT) * outChannel + token * outToken;
            out[o] += x[xAt + token * xToken] * delta(entry);
        }
    }
}
