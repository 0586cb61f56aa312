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
 * <p>On 16 lanes an in-register permute is a table of 16 floats: four bits of a word, be they four 1-bit codes, two 2-bit
 * codes or one 4-bit code, look up the sum of their weighted codes at once, which saves the mask, the conversion and the
 * multiplication of each. Shorter vectors shift, mask, convert and multiply.
 */
final class VectorPlanes {
    private static final boolean TABLES = V == 16;
    private static final int UNIT_BYTES = PackedLayout.UNIT * 4;

    /** In lane i: i, and the lowest to highest fields of i. */
    private static final FloatVector LANE = pattern(0, 15);

    private static final FloatVector PAIR_LOW = pattern(0, 3);
    private static final FloatVector PAIR_HIGH = pattern(2, 3);
    private static final FloatVector BIT0 = pattern(0, 1);
    private static final FloatVector BIT1 = pattern(1, 1);
    private static final FloatVector BIT2 = pattern(2, 1);
    private static final FloatVector BIT3 = pattern(3, 1);

    private VectorPlanes() {}

    private static FloatVector pattern(int shift, int mask) {
        float[] lanes = new float[V];
        for (int i = 0; i < V; i++) {
            lanes[i] = i >>> shift & mask;
        }
        return FloatVector.fromArray(F, lanes, 0);
    }

    /**
     * {@code out[l] += constant + sum over j of weights[j] * field[j][l]}.
     *
     * @param width bits of a field
     * @param offset of the first word row of the first unit
     * @param unitStride bytes from unit to unit
     * @param words word rows to read of each unit
     */
    static void add(
            int width,
            MemorySegment page,
            long offset,
            long unitStride,
            int units,
            int words,
            float[] weights,
            float[] out,
            int outOffset,
            float constant) {
        int unit = 0;
        if (TABLES) {
            for (; unit + 2 <= units; unit += 2) {
                long first = offset + unit * unitStride;
                int o = outOffset + unit * PackedLayout.UNIT;
                switch (width) {
                    case 1 -> pair1(page, first, first + unitStride, words, weights, out, o, constant);
                    case 2 -> pair2(page, first, first + unitStride, words, weights, out, o, constant);
                    case 4 -> pair4(page, first, first + unitStride, words, weights, out, o, constant);
                    default -> pair8(page, first, first + unitStride, words, weights, out, o, constant);
                }
            }
        }
        for (; unit < units; unit++) {
            int o = outOffset + unit * PackedLayout.UNIT;
            any(width, page, offset + unit * unitStride, words, weights, out, o, constant);
        }
    }

    private static void any(
            int width,
            MemorySegment page,
            long offset,
            int words,
            float[] weights,
            float[] out,
            int o,
            float constant) {
        int mask = (1 << width) - 1;
        int perWord = 32 / width;
        for (int lane = 0; lane < PackedLayout.UNIT; lane += V) {
            FloatVector sum = FloatVector.fromArray(F, out, o + lane).add(constant);
            for (int k = 0; k < words; k++) {
                IntVector codes = load(page, offset + (long) k * UNIT_BYTES + lane * 4L);
                for (int i = 0; i < perWord; i++) {
                    FloatVector u = (FloatVector) codes.and(mask).convert(VectorOperators.I2F, 0);
                    sum = u.fma(FloatVector.broadcast(F, weights[k * perWord + i]), sum);
                    codes = codes.lanewise(VectorOperators.LSHR, width);
                }
            }
            sum.intoArray(out, o + lane);
        }
    }

    private static void pair2(
            MemorySegment page, long p0, long p1, int words, float[] weights, float[] out, int o, float constant) {
        FloatVector a0 = FloatVector.fromArray(F, out, o).add(constant);
        FloatVector a1 = FloatVector.fromArray(F, out, o + V).add(constant);
        FloatVector b0 = FloatVector.zero(F);
        FloatVector b1 = b0;
        for (int k = 0; k < words; k++) {
            IntVector c0 = load(page, p0 + (long) k * UNIT_BYTES);
            IntVector c1 = load(page, p1 + (long) k * UNIT_BYTES);
            int w = k * 16;
            IntVector table = twoCodes(weights, w);
            a0 = a0.add(pick(c0, 0, table));
            a1 = a1.add(pick(c1, 0, table));
            table = twoCodes(weights, w + 2);
            b0 = b0.add(pick(c0, 4, table));
            b1 = b1.add(pick(c1, 4, table));
            table = twoCodes(weights, w + 4);
            a0 = a0.add(pick(c0, 8, table));
            a1 = a1.add(pick(c1, 8, table));
            table = twoCodes(weights, w + 6);
            b0 = b0.add(pick(c0, 12, table));
            b1 = b1.add(pick(c1, 12, table));
            table = twoCodes(weights, w + 8);
            a0 = a0.add(pick(c0, 16, table));
            a1 = a1.add(pick(c1, 16, table));
            table = twoCodes(weights, w + 10);
            b0 = b0.add(pick(c0, 20, table));
            b1 = b1.add(pick(c1, 20, table));
            table = twoCodes(weights, w + 12);
            a0 = a0.add(pick(c0, 24, table));
            a1 = a1.add(pick(c1, 24, table));
            table = twoCodes(weights, w + 14);
            b0 = b0.add(pick(c0, 28, table));
            b1 = b1.add(pick(c1, 28, table));
        }
        a0.add(b0).intoArray(out, o);
        a1.add(b1).intoArray(out, o + V);
    }

    private static void pair4(
            MemorySegment page, long p0, long p1, int words, float[] weights, float[] out, int o, float constant) {
        FloatVector a0 = FloatVector.fromArray(F, out, o).add(constant);
        FloatVector a1 = FloatVector.fromArray(F, out, o + V).add(constant);
        FloatVector b0 = FloatVector.zero(F);
        FloatVector b1 = b0;
        for (int k = 0; k < words; k++) {
            IntVector c0 = load(page, p0 + (long) k * UNIT_BYTES);
            IntVector c1 = load(page, p1 + (long) k * UNIT_BYTES);
            for (int i = 0; i < 8; i += 2) {
                IntVector table = oneCode(weights, k * 8 + i);
                a0 = a0.add(c0.selectFrom(table).reinterpretAsFloats());
                a1 = a1.add(c1.selectFrom(table).reinterpretAsFloats());
                table = oneCode(weights, k * 8 + i + 1);
                b0 = b0.add(pick(c0, 4, table));
                b1 = b1.add(pick(c1, 4, table));
                c0 = c0.lanewise(VectorOperators.LSHR, 8);
                c1 = c1.lanewise(VectorOperators.LSHR, 8);
            }
        }
        a0.add(b0).intoArray(out, o);
        a1.add(b1).intoArray(out, o + V);
    }

    private static void pair1(
            MemorySegment page, long p0, long p1, int words, float[] weights, float[] out, int o, float constant) {
        FloatVector a0 = FloatVector.fromArray(F, out, o).add(constant);
        FloatVector a1 = FloatVector.fromArray(F, out, o + V).add(constant);
        for (int k = 0; k < words; k++) {
            IntVector c0 = load(page, p0 + (long) k * UNIT_BYTES);
            IntVector c1 = load(page, p1 + (long) k * UNIT_BYTES);
            for (int i = 0; i < 32; i += 4) {
                IntVector table = fourCodes(weights, k * 32 + i);
                a0 = a0.add(c0.selectFrom(table).reinterpretAsFloats());
                a1 = a1.add(c1.selectFrom(table).reinterpretAsFloats());
                c0 = c0.lanewise(VectorOperators.LSHR, 4);
                c1 = c1.lanewise(VectorOperators.LSHR, 4);
            }
        }
        a0.intoArray(out, o);
        a1.intoArray(out, o + V);
    }

    private static void pair8(
            MemorySegment page, long p0, long p1, int words, float[] weights, float[] out, int o, float constant) {
        FloatVector a0 = FloatVector.fromArray(F, out, o).add(constant);
        FloatVector a1 = FloatVector.fromArray(F, out, o + V).add(constant);
        FloatVector b0 = FloatVector.zero(F);
        FloatVector b1 = b0;
        for (int k = 0; k < words; k++) {
            IntVector c0 = load(page, p0 + (long) k * UNIT_BYTES);
            IntVector c1 = load(page, p1 + (long) k * UNIT_BYTES);
            int w = k * 4;
            FloatVector weight = FloatVector.broadcast(F, weights[w]);
            a0 = floats(c0.and(255)).fma(weight, a0);
            a1 = floats(c1.and(255)).fma(weight, a1);
            weight = FloatVector.broadcast(F, weights[w + 1]);
            b0 = floats(c0.lanewise(VectorOperators.LSHR, 8).and(255)).fma(weight, b0);
            b1 = floats(c1.lanewise(VectorOperators.LSHR, 8).and(255)).fma(weight, b1);
            weight = FloatVector.broadcast(F, weights[w + 2]);
            a0 = floats(c0.lanewise(VectorOperators.LSHR, 16).and(255)).fma(weight, a0);
            a1 = floats(c1.lanewise(VectorOperators.LSHR, 16).and(255)).fma(weight, a1);
            weight = FloatVector.broadcast(F, weights[w + 3]);
            b0 = floats(c0.lanewise(VectorOperators.LSHR, 24)).fma(weight, b0);
            b1 = floats(c1.lanewise(VectorOperators.LSHR, 24)).fma(weight, b1);
        }
        a0.add(b0).intoArray(out, o);
        a1.add(b1).intoArray(out, o + V);
    }

    private static IntVector load(MemorySegment page, long offset) {
        return IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN);
    }

    private static FloatVector floats(IntVector codes) {
        return (FloatVector) codes.convert(VectorOperators.I2F, 0);
    }

    /** The table's entry at the four bits above {@code shift}; a lookup ignores all higher bits. */
    private static FloatVector pick(IntVector codes, int shift, IntVector table) {
        return codes.lanewise(VectorOperators.LSHR, shift).selectFrom(table).reinterpretAsFloats();
    }

    private static IntVector oneCode(float[] weights, int w) {
        return LANE.mul(weights[w]).reinterpretAsInts();
    }

    private static IntVector twoCodes(float[] weights, int w) {
        return PAIR_LOW.fma(
                        FloatVector.broadcast(F, weights[w]), PAIR_HIGH.mul(FloatVector.broadcast(F, weights[w + 1])))
                .reinterpretAsInts();
    }

    private static IntVector fourCodes(float[] weights, int w) {
        FloatVector low = BIT0.fma(FloatVector.broadcast(F, weights[w]), BIT1.mul(weights[w + 1]));
        return BIT2.fma(
                        FloatVector.broadcast(F, weights[w + 2]),
                        BIT3.fma(FloatVector.broadcast(F, weights[w + 3]), low))
                .reinterpretAsInts();
    }
}
