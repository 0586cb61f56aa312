package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Sums of weights times the codes of one plane.
 *
 * <p>On 16 lanes an in-register permute is a table of 16 floats. Four bits of a word, be they four 1-bit codes, two 2-bit
 * codes or one 4-bit code, look up the sum of their weighted levels at once, which saves the mask, the conversion and the
 * multiplication of each. Wider codes and shorter vectors shift, mask, convert and multiply.
 *
 * <p>Both methods that loop are long on purpose: see {@link VectorKernels}.
 */
final class VectorPlanes {
    private static final boolean TABLES = V == 16;
    private static final int UNIT_BYTES = PackedLayout.UNIT * 4;

    /** What each field of four bits means for linear codes, by the width of a field: see {@link Quantizer#patterns}. */
    private static final float[][] LINEAR = new float[5][];

    static {
        float[] codes = new float[16];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = i;
        }
        for (int width = 1; width <= 4; width *= 2) {
            LINEAR[width] = Quantizer.patterns(codes, width);
        }
    }

    private VectorPlanes() {}

    /** What fields of 1, 2 or 4 bits of linear codes mean; nobody writes to it. */
    static float[] linear(int width) {
        return LINEAR[width];
    }

    /**
     * {@code out[l] += constant + sum over j of weights[j] * level[field[j][l]]}.
     *
     * @param width bits of a field
     * @param quantizer linear, or with a codebook of that width
     * @param offset of the first word row of the first unit
     * @param unitStride bytes from unit to unit
     * @param words word rows to read of each unit
     * @param tableOffset where {@code weights} has room for 128 numbers a word row
     */
    static void add(
            int width,
            Quantizer quantizer,
            MemorySegment page,
            long offset,
            long unitStride,
            int units,
            int words,
            float[] weights,
            int tableOffset,
            float[] out,
            int outOffset,
            float constant) {
        int unit = 0;
        if (TABLES && width <= 4 && units > 1) {
            // A table for every four bits of a word, 16 numbers each.
            int fields = words * 8;
            float[] patterns = quantizer.isCodebook() ? quantizer.patterns() : LINEAR[width];
            FloatVector field0 = FloatVector.fromArray(F, patterns, 0);
            switch (width) {
                case 1 -> {
                    FloatVector field1 = FloatVector.fromArray(F, patterns, 16);
                    FloatVector field2 = FloatVector.fromArray(F, patterns, 32);
                    FloatVector field3 = FloatVector.fromArray(F, patterns, 48);
                    for (int i = 0; i < fields; i++) {
                        FloatVector table = field0.mul(weights[4 * i]);
                        table = field1.fma(FloatVector.broadcast(F, weights[4 * i + 1]), table);
                        table = field2.fma(FloatVector.broadcast(F, weights[4 * i + 2]), table);
                        table = field3.fma(FloatVector.broadcast(F, weights[4 * i + 3]), table);
                        table.intoArray(weights, tableOffset + 16 * i);
                    }
                }
                case 2 -> {
                    FloatVector field1 = FloatVector.fromArray(F, patterns, 16);
                    for (int i = 0; i < fields; i++) {
                        FloatVector table = field0.mul(weights[2 * i]);
                        table = field1.fma(FloatVector.broadcast(F, weights[2 * i + 1]), table);
                        table.intoArray(weights, tableOffset + 16 * i);
                    }
                }
                default -> {
                    for (int i = 0; i < fields; i++) {
                        field0.mul(weights[i]).intoArray(weights, tableOffset + 16 * i);
                    }
                }
            }
            for (; unit + 2 <= units; unit += 2) {
                long first = offset + unit * unitStride;
                int o = outOffset + unit * PackedLayout.UNIT;
                lookUp(page, first, first + unitStride, words, weights, tableOffset, out, o, constant);
            }
        }
        if (quantizer.isCodebook()) {
            for (; unit < units; unit++) {
                long at = offset + unit * unitStride;
                int o = outOffset + unit * PackedLayout.UNIT;
                VectorLevels.add(width, page, at, words, weights, quantizer.levels(), out, o, constant);
            }
            return;
        }
        // One vector of lanes at a time. The shift is by a vector: a count that is no constant costs another
        // instruction.
        int perWord = 32 / width;
        IntVector mask = IntVector.broadcast(I, (1 << width) - 1);
        IntVector shift = IntVector.broadcast(I, width);
        for (int lane = unit * PackedLayout.UNIT; lane < units * PackedLayout.UNIT; lane += V) {
            long at = offset + lane / PackedLayout.UNIT * unitStride + lane % PackedLayout.UNIT * 4L;
            FloatVector a = FloatVector.fromArray(F, out, outOffset + lane).add(constant);
            FloatVector b = FloatVector.zero(F);
            for (int j = 0; j < words * perWord; j += perWord, at += UNIT_BYTES) {
                IntVector codes = IntVector.fromMemorySegment(I, page, at, ByteOrder.LITTLE_ENDIAN);
                for (int i = j; i < j + perWord; i += 2) {
                    a = ((FloatVector) codes.and(mask).convert(VectorOperators.I2F, 0))
                            .fma(FloatVector.broadcast(F, weights[i]), a);
                    codes = codes.lanewise(VectorOperators.LSHR, shift);
                    b = ((FloatVector) codes.and(mask).convert(VectorOperators.I2F, 0))
                            .fma(FloatVector.broadcast(F, weights[i + 1]), b);
                    codes = codes.lanewise(VectorOperators.LSHR, shift);
                }
            }
            a.add(b).intoArray(out, outOffset + lane);
        }
    }

    /** Two units at a time, so that a table loaded serves both. A lookup ignores all but the four low bits. */
    private static void lookUp(
            MemorySegment page,
            long p0,
            long p1,
            int words,
            float[] tables,
            int tableOffset,
            float[] out,
            int o,
            float constant) {
        FloatVector a0 = FloatVector.fromArray(F, out, o).add(constant);
        FloatVector a1 = FloatVector.fromArray(F, out, o + V).add(constant);
        FloatVector b0 = FloatVector.zero(F);
        FloatVector b1 = FloatVector.zero(F);
        int t = tableOffset;
        for (int k = 0; k < words; k++) {
            IntVector c0 = IntVector.fromMemorySegment(I, page, p0 + (long) k * UNIT_BYTES, ByteOrder.LITTLE_ENDIAN);
            IntVector c1 = IntVector.fromMemorySegment(I, page, p1 + (long) k * UNIT_BYTES, ByteOrder.LITTLE_ENDIAN);
            for (int half = 0; half < 2; half++, t += 4 * V) {
                IntVector table = FloatVector.fromArray(F, tables, t).reinterpretAsInts();
                a0 = a0.add(c0.selectFrom(table).reinterpretAsFloats());
                a1 = a1.add(c1.selectFrom(table).reinterpretAsFloats());
                table = FloatVector.fromArray(F, tables, t + V).reinterpretAsInts();
                b0 = b0.add(
                        c0.lanewise(VectorOperators.LSHR, 4).selectFrom(table).reinterpretAsFloats());
                b1 = b1.add(
                        c1.lanewise(VectorOperators.LSHR, 4).selectFrom(table).reinterpretAsFloats());
                table = FloatVector.fromArray(F, tables, t + 2 * V).reinterpretAsInts();
                a0 = a0.add(
                        c0.lanewise(VectorOperators.LSHR, 8).selectFrom(table).reinterpretAsFloats());
                a1 = a1.add(
                        c1.lanewise(VectorOperators.LSHR, 8).selectFrom(table).reinterpretAsFloats());
                table = FloatVector.fromArray(F, tables, t + 3 * V).reinterpretAsInts();
                b0 = b0.add(
                        c0.lanewise(VectorOperators.LSHR, 12).selectFrom(table).reinterpretAsFloats());
                b1 = b1.add(
                        c1.lanewise(VectorOperators.LSHR, 12).selectFrom(table).reinterpretAsFloats());
                c0 = c0.lanewise(VectorOperators.LSHR, 16);
                c1 = c1.lanewise(VectorOperators.LSHR, 16);
            }
        }
        a0.add(b0).intoArray(out, o);
        a1.add(b1).intoArray(out, o + V);
    }

    /**
     * {@code out[l] += constant + sum over j of work[w + j] * code[j][l]} for linear codes of 2 bits of two units: as {@link #add}, with tables
     * that are made where they are used.
     */
    static void pairs(
            MemorySegment page,
            long offset,
            long unitBytes,
            int words,
            float[] work,
            int w,
            float constant,
            float[] out,
            int o) {
        FloatVector field0 = FloatVector.fromArray(F, LINEAR[2], 0);
        FloatVector field1 = FloatVector.fromArray(F, LINEAR[2], 16);
        IntVector four = IntVector.broadcast(I, 4);
        FloatVector a0 = FloatVector.fromArray(F, out, o);
        FloatVector a1 = FloatVector.fromArray(F, out, o + V);
        FloatVector b0 = FloatVector.broadcast(F, constant);
        FloatVector b1 = b0;
        for (int end = w + 16 * words; w < end; offset += UNIT_BYTES) {
            IntVector c0 = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN);
            IntVector c1 = IntVector.fromMemorySegment(I, page, offset + unitBytes, ByteOrder.LITTLE_ENDIAN);
            for (int last = w + 16; w < last; w += 4) {
                FloatVector table = field0.mul(work[w]);
                table = field1.fma(FloatVector.broadcast(F, work[w + 1]), table);
                a0 = a0.add(c0.selectFrom(table.reinterpretAsInts()).reinterpretAsFloats());
                a1 = a1.add(c1.selectFrom(table.reinterpretAsInts()).reinterpretAsFloats());
                c0 = c0.lanewise(VectorOperators.LSHR, four);
                c1 = c1.lanewise(VectorOperators.LSHR, four);
                table = field0.mul(work[w + 2]);
                table = field1.fma(FloatVector.broadcast(F, work[w + 3]), table);
                b0 = b0.add(c0.selectFrom(table.reinterpretAsInts()).reinterpretAsFloats());
                b1 = b1.add(c1.selectFrom(table.reinterpretAsInts()).reinterpretAsFloats());
                c0 = c0.lanewise(VectorOperators.LSHR, four);
                c1 = c1.lanewise(VectorOperators.LSHR, four);
            }
        }
        a0.add(b0).intoArray(out, o);
        a1.add(b1).intoArray(out, o + V);
    }
}
