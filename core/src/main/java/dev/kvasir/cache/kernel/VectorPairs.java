package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.UNIT;
import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The product of one row with codes that are too wide for {@link VectorPlanes} to look up several at once, two units of them at
 * a time, on vectors of 16 lanes.
 *
 * <p>Depths come in groups. For each {@code work} holds a constant at {@code constants} and, unless {@code scales} is negative,
 * a scale for each lane there, {@code stride} from group to group: {@code out[l] += sum over groups of scale[l] * (constant +
 * sum over j of work[j] * level[code[j][l]])}.
 */
final class VectorPairs {
    private static final int UNIT_BYTES = UNIT * 4;

    /** What a bit above the first four is worth. */
    private static final float HIGH = 16;

    private VectorPairs() {}

    /** Whether the codes of a layout are read here. */
    static boolean serves(PackedLayout layout) {
        boolean wide =
                layout.bits() >= 4 || (layout.bits() == 3 && layout.quantizer().isCodebook());
        return V == 16 && wide;
    }

    /**
     * For lanes that are pairs of units and depths from a whole word on.
     *
     * @param words of the first plane in each group
     * @param tables where {@code work} has room for 128 numbers a word of the second plane
     */
    static void add(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depth,
            int words,
            int groups,
            float[] work,
            int constants,
            int scales,
            int tables,
            float[] out,
            int outOffset) {
        Quantizer quantizer = layout.quantizer();
        int stride = laneTo - laneFrom;
        int highWords = layout.planes() == 1 ? 0 : Math.ceilDiv(words * layout.perWord(0), layout.perWord(1));
        int fields = groups * highWords * 8;
        if (layout.bits() == 5) {
            tables1(work, fields, tables);
        } else if (layout.bits() == 6) {
            tables2(work, fields, tables);
        }
        for (int lane = laneFrom; lane < laneTo; lane += 2 * UNIT) {
            long offset = layout.wordAt(0, depth, lane);
            long other = offset + layout.unitBytes(0);
            int at = scales < 0 ? scales : scales + lane - laneFrom;
            int o = outOffset + lane - laneFrom;
            if (layout.bits() == 8) {
                bytes(page, offset, other, words, groups, work, constants, at, stride, out, o);
            } else if (layout.bits() == 4) {
                float[] levels = quantizer.isCodebook() ? quantizer.patterns() : VectorPlanes.linear(4);
                nibbles(page, offset, other, words, groups, levels, work, constants, at, stride, out, o);
            } else {
                long high = layout.wordAt(1, depth, lane);
                long highOther = high + layout.unitBytes(1);
                if (layout.bits() == 3) {
                    float[] levels = quantizer.repeated();
                    joined(
                            page, offset, other, high, highOther, words, groups, levels, work, constants, at, stride,
                            out, o);
                } else {
                    split(
                            page, offset, other, high, highOther, words, highWords, groups, work, tables, constants, at,
                            stride, out, o);
                }
            }
        }
    }

    /** Bytes are converted where they lie in their word, and each place has sums of its own that are moved down at the end. */
    private static void bytes(
            MemorySegment page,
            long offset,
            long other,
            int words,
            int groups,
            float[] work,
            int constants,
            int scales,
            int stride,
            float[] out,
            int o) {
        FloatVector sum0 = FloatVector.fromArray(F, out, o);
        FloatVector sum1 = FloatVector.fromArray(F, out, o + UNIT);
        FloatVector none = FloatVector.zero(F);
        long at = 0;
        int i = 0;
        for (int g = 0; g < groups; g++) {
            FloatVector a0 = FloatVector.broadcast(F, work[constants + g]);
            FloatVector a1 = a0;
            FloatVector b0 = none;
            FloatVector b1 = none;
            FloatVector c0 = none;
            FloatVector c1 = none;
            FloatVector d0 = none;
            FloatVector d1 = none;
            for (int end = i + 4 * words; i < end; i += 4, at += UNIT_BYTES) {
                IntVector x0 = IntVector.fromMemorySegment(I, page, offset + at, ByteOrder.LITTLE_ENDIAN);
                IntVector x1 = IntVector.fromMemorySegment(I, page, other + at, ByteOrder.LITTLE_ENDIAN);
                FloatVector weight = FloatVector.broadcast(F, work[i]);
                a0 = ((FloatVector) x0.and(0xff).convert(VectorOperators.I2F, 0)).fma(weight, a0);
                a1 = ((FloatVector) x1.and(0xff).convert(VectorOperators.I2F, 0)).fma(weight, a1);
                weight = FloatVector.broadcast(F, work[i + 1]);
                b0 = ((FloatVector) x0.and(0xff00).convert(VectorOperators.I2F, 0)).fma(weight, b0);
                b1 = ((FloatVector) x1.and(0xff00).convert(VectorOperators.I2F, 0)).fma(weight, b1);
                weight = FloatVector.broadcast(F, work[i + 2]);
                c0 = ((FloatVector) x0.and(0xff0000).convert(VectorOperators.I2F, 0)).fma(weight, c0);
                c1 = ((FloatVector) x1.and(0xff0000).convert(VectorOperators.I2F, 0)).fma(weight, c1);
                weight = FloatVector.broadcast(F, work[i + 3]);
                x0 = x0.lanewise(VectorOperators.LSHR, 24);
                x1 = x1.lanewise(VectorOperators.LSHR, 24);
                d0 = ((FloatVector) x0.convert(VectorOperators.I2F, 0)).fma(weight, d0);
                d1 = ((FloatVector) x1.convert(VectorOperators.I2F, 0)).fma(weight, d1);
            }
            a0 = c0.mul(0x1p-16f).add(b0.mul(0x1p-8f)).add(a0.add(d0));
            a1 = c1.mul(0x1p-16f).add(b1.mul(0x1p-8f)).add(a1.add(d1));
            if (scales < 0) {
                sum0 = sum0.add(a0);
                sum1 = sum1.add(a1);
            } else {
                sum0 = a0.fma(FloatVector.fromArray(F, work, scales + g * stride), sum0);
                sum1 = a1.fma(FloatVector.fromArray(F, work, scales + g * stride + UNIT), sum1);
            }
        }
        sum0.intoArray(out, o);
        sum1.intoArray(out, o + UNIT);
    }

    /** A lookup ignores all but the four low bits. */
    private static void nibbles(
            MemorySegment page,
            long offset,
            long other,
            int words,
            int groups,
            float[] levels,
            float[] work,
            int constants,
            int scales,
            int stride,
            float[] out,
            int o) {
        IntVector table = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        FloatVector sum0 = FloatVector.fromArray(F, out, o);
        FloatVector sum1 = FloatVector.fromArray(F, out, o + UNIT);
        long at = 0;
        int i = 0;
        for (int g = 0; g < groups; g++) {
            FloatVector a0 = FloatVector.broadcast(F, work[constants + g]);
            FloatVector a1 = a0;
            FloatVector b0 = FloatVector.zero(F);
            FloatVector b1 = b0;
            for (int end = i + 8 * words; i < end; at += UNIT_BYTES) {
                IntVector x0 = IntVector.fromMemorySegment(I, page, offset + at, ByteOrder.LITTLE_ENDIAN);
                IntVector x1 = IntVector.fromMemorySegment(I, page, other + at, ByteOrder.LITTLE_ENDIAN);
                for (int last = i + 8; i < last; i += 2) {
                    FloatVector weight = FloatVector.broadcast(F, work[i]);
                    a0 = x0.selectFrom(table).reinterpretAsFloats().fma(weight, a0);
                    a1 = x1.selectFrom(table).reinterpretAsFloats().fma(weight, a1);
                    weight = FloatVector.broadcast(F, work[i + 1]);
                    IntVector next0 = x0.lanewise(VectorOperators.LSHR, 4);
                    IntVector next1 = x1.lanewise(VectorOperators.LSHR, 4);
                    b0 = next0.selectFrom(table).reinterpretAsFloats().fma(weight, b0);
                    b1 = next1.selectFrom(table).reinterpretAsFloats().fma(weight, b1);
                    x0 = x0.lanewise(VectorOperators.LSHR, 8);
                    x1 = x1.lanewise(VectorOperators.LSHR, 8);
                }
            }
            if (scales < 0) {
                sum0 = sum0.add(a0.add(b0));
                sum1 = sum1.add(a1.add(b1));
            } else {
                sum0 = a0.add(b0).fma(FloatVector.fromArray(F, work, scales + g * stride), sum0);
                sum1 = a1.add(b1).fma(FloatVector.fromArray(F, work, scales + g * stride + UNIT), sum1);
            }
        }
        sum0.intoArray(out, o);
        sum1.intoArray(out, o + UNIT);
    }

    /** Codes of two planes of a codebook of 3 bits, put together. */
    private static void joined(
            MemorySegment page,
            long offset,
            long other,
            long highOffset,
            long highOther,
            int words,
            int groups,
            float[] levels,
            float[] work,
            int constants,
            int scales,
            int stride,
            float[] out,
            int o) {
        IntVector lowMask = IntVector.broadcast(I, 3);
        IntVector table = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        FloatVector sum0 = FloatVector.fromArray(F, out, o);
        FloatVector sum1 = FloatVector.fromArray(F, out, o + UNIT);
        int word = 0;
        for (int g = 0; g < groups; g++) {
            FloatVector a0 = FloatVector.broadcast(F, work[constants + g]);
            FloatVector a1 = a0;
            for (int end = word + words; word < end; word++) {
                long at = (long) word * UNIT_BYTES;
                IntVector x0 = IntVector.fromMemorySegment(I, page, offset + at, ByteOrder.LITTLE_ENDIAN);
                IntVector x1 = IntVector.fromMemorySegment(I, page, other + at, ByteOrder.LITTLE_ENDIAN);
                at = (long) (word / 2) * UNIT_BYTES;
                int gone = word % 2 * 16;
                IntVector y0 = IntVector.fromMemorySegment(I, page, highOffset + at, ByteOrder.LITTLE_ENDIAN)
                        .lanewise(VectorOperators.LSHR, gone)
                        .lanewise(VectorOperators.LSHL, 2);
                IntVector y1 = IntVector.fromMemorySegment(I, page, highOther + at, ByteOrder.LITTLE_ENDIAN)
                        .lanewise(VectorOperators.LSHR, gone)
                        .lanewise(VectorOperators.LSHL, 2);
                for (int i = word * 16; i < word * 16 + 16; i++) {
                    FloatVector weight = FloatVector.broadcast(F, work[i]);
                    IntVector code = y0.lanewise(VectorOperators.BITWISE_BLEND, x0, lowMask);
                    a0 = code.selectFrom(table).reinterpretAsFloats().fma(weight, a0);
                    code = y1.lanewise(VectorOperators.BITWISE_BLEND, x1, lowMask);
                    a1 = code.selectFrom(table).reinterpretAsFloats().fma(weight, a1);
                    x0 = x0.lanewise(VectorOperators.LSHR, 2);
                    x1 = x1.lanewise(VectorOperators.LSHR, 2);
                    y0 = y0.lanewise(VectorOperators.LSHR, 1);
                    y1 = y1.lanewise(VectorOperators.LSHR, 1);
                }
            }
            if (scales < 0) {
                sum0 = sum0.add(a0);
                sum1 = sum1.add(a1);
            } else {
                sum0 = a0.fma(FloatVector.fromArray(F, work, scales + g * stride), sum0);
                sum1 = a1.fma(FloatVector.fromArray(F, work, scales + g * stride + UNIT), sum1);
            }
        }
        sum0.intoArray(out, o);
        sum1.intoArray(out, o + UNIT);
    }

    /** For every four bits of a word of the second plane, four codes of one bit, the weighted sums of what they may mean. */
    private static void tables1(float[] work, int fields, int to) {
        float[] patterns = VectorPlanes.linear(1);
        FloatVector field0 = FloatVector.fromArray(F, patterns, 0).mul(HIGH);
        FloatVector field1 = FloatVector.fromArray(F, patterns, V).mul(HIGH);
        FloatVector field2 = FloatVector.fromArray(F, patterns, 2 * V).mul(HIGH);
        FloatVector field3 = FloatVector.fromArray(F, patterns, 3 * V).mul(HIGH);
        for (int i = 0; i < 4 * fields; i += 4) {
            FloatVector table = field0.mul(work[i]);
            FloatVector other = field1.mul(work[i + 1]);
            table = field2.fma(FloatVector.broadcast(F, work[i + 2]), table);
            other = field3.fma(FloatVector.broadcast(F, work[i + 3]), other);
            table.add(other).intoArray(work, to + 4 * i);
        }
    }

    /** As {@link #tables1}, with two codes of two bits. */
    private static void tables2(float[] work, int fields, int to) {
        float[] patterns = VectorPlanes.linear(2);
        FloatVector field0 = FloatVector.fromArray(F, patterns, 0).mul(HIGH);
        FloatVector field1 = FloatVector.fromArray(F, patterns, V).mul(HIGH);
        for (int i = 0; i < 2 * fields; i += 2) {
            FloatVector table = field0.mul(work[i]);
            field1.fma(FloatVector.broadcast(F, work[i + 1]), table).intoArray(work, to + 8 * i);
        }
    }

    /** Linear codes of two planes: four bits of the first are a code's part, four of the second are looked up. */
    private static void split(
            MemorySegment page,
            long offset,
            long other,
            long highOffset,
            long highOther,
            int words,
            int highWords,
            int groups,
            float[] work,
            int tables,
            int constants,
            int scales,
            int stride,
            float[] out,
            int o) {
        IntVector codes = FloatVector.fromArray(F, VectorPlanes.linear(4), 0).reinterpretAsInts();
        FloatVector sum0 = FloatVector.fromArray(F, out, o);
        FloatVector sum1 = FloatVector.fromArray(F, out, o + UNIT);
        long at = 0;
        long highAt = 0;
        int i = 0;
        int t = tables;
        for (int g = 0; g < groups; g++) {
            FloatVector a0 = FloatVector.broadcast(F, work[constants + g]);
            FloatVector a1 = a0;
            FloatVector b0 = FloatVector.zero(F);
            FloatVector b1 = b0;
            for (int end = i + 8 * words; i < end; at += UNIT_BYTES) {
                IntVector x0 = IntVector.fromMemorySegment(I, page, offset + at, ByteOrder.LITTLE_ENDIAN);
                IntVector x1 = IntVector.fromMemorySegment(I, page, other + at, ByteOrder.LITTLE_ENDIAN);
                for (int last = i + 8; i < last; i += 2) {
                    FloatVector weight = FloatVector.broadcast(F, work[i]);
                    a0 = x0.selectFrom(codes).reinterpretAsFloats().fma(weight, a0);
                    a1 = x1.selectFrom(codes).reinterpretAsFloats().fma(weight, a1);
                    weight = FloatVector.broadcast(F, work[i + 1]);
                    IntVector next0 = x0.lanewise(VectorOperators.LSHR, 4);
                    IntVector next1 = x1.lanewise(VectorOperators.LSHR, 4);
                    b0 = next0.selectFrom(codes).reinterpretAsFloats().fma(weight, b0);
                    b1 = next1.selectFrom(codes).reinterpretAsFloats().fma(weight, b1);
                    x0 = x0.lanewise(VectorOperators.LSHR, 8);
                    x1 = x1.lanewise(VectorOperators.LSHR, 8);
                }
            }
            for (int end = t + 8 * V * highWords; t < end; highAt += UNIT_BYTES) {
                IntVector x0 = IntVector.fromMemorySegment(I, page, highOffset + highAt, ByteOrder.LITTLE_ENDIAN);
                IntVector x1 = IntVector.fromMemorySegment(I, page, highOther + highAt, ByteOrder.LITTLE_ENDIAN);
                for (int last = t + 8 * V; t < last; t += 2 * V) {
                    IntVector table = FloatVector.fromArray(F, work, t).reinterpretAsInts();
                    a0 = a0.add(x0.selectFrom(table).reinterpretAsFloats());
                    a1 = a1.add(x1.selectFrom(table).reinterpretAsFloats());
                    table = FloatVector.fromArray(F, work, t + V).reinterpretAsInts();
                    IntVector next0 = x0.lanewise(VectorOperators.LSHR, 4);
                    IntVector next1 = x1.lanewise(VectorOperators.LSHR, 4);
                    b0 = b0.add(next0.selectFrom(table).reinterpretAsFloats());
                    b1 = b1.add(next1.selectFrom(table).reinterpretAsFloats());
                    x0 = x0.lanewise(VectorOperators.LSHR, 8);
                    x1 = x1.lanewise(VectorOperators.LSHR, 8);
                }
            }
            if (scales < 0) {
                sum0 = sum0.add(a0.add(b0));
                sum1 = sum1.add(a1.add(b1));
            } else {
                sum0 = a0.add(b0).fma(FloatVector.fromArray(F, work, scales + g * stride), sum0);
                sum1 = a1.add(b1).fma(FloatVector.fromArray(F, work, scales + g * stride + UNIT), sum1);
            }
        }
        sum0.intoArray(out, o);
        sum1.intoArray(out, o + UNIT);
    }
}
