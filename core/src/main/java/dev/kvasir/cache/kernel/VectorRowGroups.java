package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.UNIT;
import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The loops of {@link VectorRowCodes} where groups run along the depth. A run of {@code words} word rows is a group: each lane of
 * it has a scale in {@code work} at {@code parameters} and a zero {@code stride} behind; the next group's are {@code 2 *
 * stride} further. A level is scaled once for all rows, which costs less than to keep sums of a group for each row.
 */
final class VectorRowGroups {
    private static final int UNIT_BYTES = UNIT * 4;

    private VectorRowGroups() {}

    /** Codes of 1, 2 or 4 bits. The levels repeat, so that a permute need not be told which bits of a word to leave out. */
    static void looked(
            int width,
            MemorySegment page,
            long offset,
            long unitBytes,
            int words,
            float[] work,
            int w0,
            int w1,
            int w2,
            int w3,
            float[] levels,
            int groups,
            int parameters,
            int stride,
            float[] out,
            int o0,
            int o1,
            int o2,
            int o3) {
        int perWord = 32 / width;
        IntVector shift = IntVector.broadcast(I, width);
        IntVector table = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        int at = parameters;
        FloatVector a0 = FloatVector.fromArray(F, out, o0);
        FloatVector a1 = FloatVector.fromArray(F, out, o1);
        FloatVector a2 = FloatVector.fromArray(F, out, o2);
        FloatVector a3 = FloatVector.fromArray(F, out, o3);
        FloatVector b0 = FloatVector.fromArray(F, out, o0 + UNIT);
        FloatVector b1 = FloatVector.fromArray(F, out, o1 + UNIT);
        FloatVector b2 = FloatVector.fromArray(F, out, o2 + UNIT);
        FloatVector b3 = FloatVector.fromArray(F, out, o3 + UNIT);
        for (int g = 0; g < groups; g++, at += 2 * stride) {
            FloatVector s = FloatVector.fromArray(F, work, at);
            FloatVector z = FloatVector.fromArray(F, work, at + stride);
            FloatVector s2 = FloatVector.fromArray(F, work, at + UNIT);
            FloatVector z2 = FloatVector.fromArray(F, work, at + stride + UNIT);
            for (int j = g * words * perWord; j < (g + 1) * words * perWord; j += perWord, offset += UNIT_BYTES) {
                IntVector c = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN);
                IntVector d = IntVector.fromMemorySegment(I, page, offset + unitBytes, ByteOrder.LITTLE_ENDIAN);
                for (int i = j; i < j + perWord; i++) {
                    FloatVector level = c.selectFrom(table).reinterpretAsFloats();
                    FloatVector other = d.selectFrom(table).reinterpretAsFloats();
                    level = level.fma(s, z);
                    other = other.fma(s2, z2);
                    FloatVector weight = FloatVector.broadcast(F, work[w0 + i]);
                    a0 = level.fma(weight, a0);
                    b0 = other.fma(weight, b0);
                    weight = FloatVector.broadcast(F, work[w1 + i]);
                    a1 = level.fma(weight, a1);
                    b1 = other.fma(weight, b1);
                    weight = FloatVector.broadcast(F, work[w2 + i]);
                    a2 = level.fma(weight, a2);
                    b2 = other.fma(weight, b2);
                    weight = FloatVector.broadcast(F, work[w3 + i]);
                    a3 = level.fma(weight, a3);
                    b3 = other.fma(weight, b3);
                    c = c.lanewise(VectorOperators.LSHR, shift);
                    d = d.lanewise(VectorOperators.LSHR, shift);
                }
            }
        }
        a0.intoArray(out, o0);
        a1.intoArray(out, o1);
        a2.intoArray(out, o2);
        a3.intoArray(out, o3);
        b0.intoArray(out, o0 + UNIT);
        b1.intoArray(out, o1 + UNIT);
        b2.intoArray(out, o2 + UNIT);
        b3.intoArray(out, o3 + UNIT);
    }

    /** Linear codes of 8 bits. */
    static void bytes(
            MemorySegment page,
            long offset,
            long unitBytes,
            int words,
            float[] work,
            int w0,
            int w1,
            int w2,
            int w3,
            int groups,
            int parameters,
            int stride,
            float[] out,
            int o0,
            int o1,
            int o2,
            int o3) {
        IntVector shift = IntVector.broadcast(I, 8);
        IntVector mask = IntVector.broadcast(I, 255);
        int at = parameters;
        FloatVector a0 = FloatVector.fromArray(F, out, o0);
        FloatVector a1 = FloatVector.fromArray(F, out, o1);
        FloatVector a2 = FloatVector.fromArray(F, out, o2);
        FloatVector a3 = FloatVector.fromArray(F, out, o3);
        FloatVector b0 = FloatVector.fromArray(F, out, o0 + UNIT);
        FloatVector b1 = FloatVector.fromArray(F, out, o1 + UNIT);
        FloatVector b2 = FloatVector.fromArray(F, out, o2 + UNIT);
        FloatVector b3 = FloatVector.fromArray(F, out, o3 + UNIT);
        for (int g = 0; g < groups; g++, at += 2 * stride) {
            FloatVector s = FloatVector.fromArray(F, work, at);
            FloatVector z = FloatVector.fromArray(F, work, at + stride);
            FloatVector s2 = FloatVector.fromArray(F, work, at + UNIT);
            FloatVector z2 = FloatVector.fromArray(F, work, at + stride + UNIT);
            for (int j = g * words * 4; j < (g + 1) * words * 4; j += 4, offset += UNIT_BYTES) {
                IntVector c = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN);
                IntVector d = IntVector.fromMemorySegment(I, page, offset + unitBytes, ByteOrder.LITTLE_ENDIAN);
                for (int i = j; i < j + 4; i++) {
                    FloatVector level = (FloatVector) c.and(mask).convert(VectorOperators.I2F, 0);
                    FloatVector other = (FloatVector) d.and(mask).convert(VectorOperators.I2F, 0);
                    level = level.fma(s, z);
                    other = other.fma(s2, z2);
                    FloatVector weight = FloatVector.broadcast(F, work[w0 + i]);
                    a0 = level.fma(weight, a0);
                    b0 = other.fma(weight, b0);
                    weight = FloatVector.broadcast(F, work[w1 + i]);
                    a1 = level.fma(weight, a1);
                    b1 = other.fma(weight, b1);
                    weight = FloatVector.broadcast(F, work[w2 + i]);
                    a2 = level.fma(weight, a2);
                    b2 = other.fma(weight, b2);
                    weight = FloatVector.broadcast(F, work[w3 + i]);
                    a3 = level.fma(weight, a3);
                    b3 = other.fma(weight, b3);
                    c = c.lanewise(VectorOperators.LSHR, shift);
                    d = d.lanewise(VectorOperators.LSHR, shift);
                }
            }
        }
        a0.intoArray(out, o0);
        a1.intoArray(out, o1);
        a2.intoArray(out, o2);
        a3.intoArray(out, o3);
        b0.intoArray(out, o0 + UNIT);
        b1.intoArray(out, o1 + UNIT);
        b2.intoArray(out, o2 + UNIT);
        b3.intoArray(out, o3 + UNIT);
    }

    /**
     * Codes of two planes, put together before they become floats; a codebook's levels repeat, so that a permute need not be told
     * which bits to leave out.
     *
     * @param low bits of a field of the first plane
     * @param high bits of a field of the second plane, which starts at {@code highOffset}
     * @param levels of a codebook of 3 bits, or none
     */
    static void planes(
            int low,
            int high,
            MemorySegment page,
            long offset,
            long unitBytes,
            long highOffset,
            long highUnitBytes,
            int words,
            float[] work,
            int w0,
            int w1,
            int w2,
            int w3,
            float[] levels,
            int groups,
            int parameters,
            int stride,
            float[] out,
            int o0,
            int o1,
            int o2,
            int o3) {
        int perWord = 32 / low;
        int ratio = low / high;
        IntVector shift = IntVector.broadcast(I, low);
        IntVector highShift = IntVector.broadcast(I, high);
        IntVector lowMask = IntVector.broadcast(I, (1 << low) - 1);
        IntVector mask = IntVector.broadcast(I, (1 << (low + high)) - 1);
        boolean looked = levels.length > 0;
        IntVector table = looked ? FloatVector.fromArray(F, levels, 0).reinterpretAsInts() : mask;
        int at = parameters;
        FloatVector a0 = FloatVector.fromArray(F, out, o0);
        FloatVector a1 = FloatVector.fromArray(F, out, o1);
        FloatVector a2 = FloatVector.fromArray(F, out, o2);
        FloatVector a3 = FloatVector.fromArray(F, out, o3);
        FloatVector b0 = FloatVector.fromArray(F, out, o0 + UNIT);
        FloatVector b1 = FloatVector.fromArray(F, out, o1 + UNIT);
        FloatVector b2 = FloatVector.fromArray(F, out, o2 + UNIT);
        FloatVector b3 = FloatVector.fromArray(F, out, o3 + UNIT);
        for (int g = 0; g < groups; g++, at += 2 * stride) {
            FloatVector s = FloatVector.fromArray(F, work, at);
            FloatVector z = FloatVector.fromArray(F, work, at + stride);
            FloatVector s2 = FloatVector.fromArray(F, work, at + UNIT);
            FloatVector z2 = FloatVector.fromArray(F, work, at + stride + UNIT);
            for (int j = g * words * perWord; j < (g + 1) * words * perWord; j += perWord, offset += UNIT_BYTES) {
                IntVector c = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN);
                IntVector d = IntVector.fromMemorySegment(I, page, offset + unitBytes, ByteOrder.LITTLE_ENDIAN);
                int word = j / perWord;
                long above = (long) (word / ratio) * UNIT_BYTES;
                int gone = word % ratio * perWord * high;
                IntVector e = IntVector.fromMemorySegment(I, page, highOffset + above, ByteOrder.LITTLE_ENDIAN)
                        .lanewise(VectorOperators.LSHR, gone)
                        .lanewise(VectorOperators.LSHL, low);
                IntVector f = IntVector.fromMemorySegment(
                                I, page, highOffset + highUnitBytes + above, ByteOrder.LITTLE_ENDIAN)
                        .lanewise(VectorOperators.LSHR, gone)
                        .lanewise(VectorOperators.LSHL, low);
                for (int i = j; i < j + perWord; i++) {
                    IntVector code = e.lanewise(VectorOperators.BITWISE_BLEND, c, lowMask);
                    IntVector code2 = f.lanewise(VectorOperators.BITWISE_BLEND, d, lowMask);
                    FloatVector level = looked
                            ? code.selectFrom(table).reinterpretAsFloats()
                            : (FloatVector) code.and(mask).convert(VectorOperators.I2F, 0);
                    FloatVector other = looked
                            ? code2.selectFrom(table).reinterpretAsFloats()
                            : (FloatVector) code2.and(mask).convert(VectorOperators.I2F, 0);
                    level = level.fma(s, z);
                    other = other.fma(s2, z2);
                    FloatVector weight = FloatVector.broadcast(F, work[w0 + i]);
                    a0 = level.fma(weight, a0);
                    b0 = other.fma(weight, b0);
                    weight = FloatVector.broadcast(F, work[w1 + i]);
                    a1 = level.fma(weight, a1);
                    b1 = other.fma(weight, b1);
                    weight = FloatVector.broadcast(F, work[w2 + i]);
                    a2 = level.fma(weight, a2);
                    b2 = other.fma(weight, b2);
                    weight = FloatVector.broadcast(F, work[w3 + i]);
                    a3 = level.fma(weight, a3);
                    b3 = other.fma(weight, b3);
                    c = c.lanewise(VectorOperators.LSHR, shift);
                    d = d.lanewise(VectorOperators.LSHR, shift);
                    e = e.lanewise(VectorOperators.LSHR, highShift);
                    f = f.lanewise(VectorOperators.LSHR, highShift);
                }
            }
        }
        a0.intoArray(out, o0);
        a1.intoArray(out, o1);
        a2.intoArray(out, o2);
        a3.intoArray(out, o3);
        b0.intoArray(out, o0 + UNIT);
        b1.intoArray(out, o1 + UNIT);
        b2.intoArray(out, o2 + UNIT);
        b3.intoArray(out, o3 + UNIT);
    }
}
