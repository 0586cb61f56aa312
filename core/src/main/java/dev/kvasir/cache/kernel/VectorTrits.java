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
 * Reads {@link Trits}. On 16 lanes two trits at a time, a number below 9, look up the sum of their weighted codes; on shorter
 * vectors each is converted and multiplied.
 */
final class VectorTrits {
    private static final int UNIT_BYTES = PackedLayout.UNIT * 4;

    /** The first and the second trit of a pair, by its number. */
    private static final float[] FIRST = new float[16];

    private static final float[] SECOND = new float[16];

    static {
        for (int pair = 0; pair < 9; pair++) {
            int first = pair / 3;
            FIRST[pair] = first;
            SECOND[pair] = pair % 3;
        }
    }

    private VectorTrits() {}

    /** {@code out[l] += constant + sum over j of weights[j] * code[j][l]}; {@code weights} has room for tables of 160 numbers a word row. */
    static void add(
            MemorySegment page,
            long offset,
            long unitBytes,
            int units,
            int words,
            float[] weights,
            int tableOffset,
            float[] out,
            int outOffset,
            float constant) {
        if (V == 16) {
            tables(weights, words * (Trits.PER_WORD / 2), tableOffset);
        }
        for (int unit = 0; unit < units; unit++) {
            long at = offset + unit * unitBytes;
            int o = outOffset + unit * PackedLayout.UNIT;
            if (V == 16) {
                lookUp(page, at, words, weights, tableOffset, out, o, constant);
            } else {
                for (int lane = 0; lane < PackedLayout.UNIT; lane += V) {
                    multiply(page, at + lane * 4L, words, weights, out, o + lane, constant);
                }
            }
        }
    }

    private static void tables(float[] weights, int pairs, int tableOffset) {
        FloatVector first = FloatVector.fromArray(F, FIRST, 0);
        FloatVector second = FloatVector.fromArray(F, SECOND, 0);
        for (int i = 0; i < pairs; i++) {
            second.fma(FloatVector.broadcast(F, weights[2 * i + 1]), first.mul(weights[2 * i]))
                    .intoArray(weights, tableOffset + 16 * i);
        }
    }

    private static void lookUp(
            MemorySegment page,
            long offset,
            int words,
            float[] tables,
            int tableOffset,
            float[] out,
            int o,
            float constant) {
        FloatVector a = FloatVector.fromArray(F, out, o).add(constant);
        FloatVector b = FloatVector.zero(F);
        int t = tableOffset;
        for (int k = 0; k < words; k++, t += 5 * V) {
            IntVector word =
                    IntVector.fromMemorySegment(I, page, offset + (long) k * UNIT_BYTES, ByteOrder.LITTLE_ENDIAN);
            IntVector low = word.and(0xffff);
            IntVector high = word.lanewise(VectorOperators.LSHR, 16);
            for (int pair = 0; pair < 5; pair++, t += V) {
                low = low.add(low.lanewise(VectorOperators.LSHL, 3));
                high = high.add(high.lanewise(VectorOperators.LSHL, 3));
                IntVector table = FloatVector.fromArray(F, tables, t).reinterpretAsInts();
                a = a.add(
                        low.lanewise(VectorOperators.LSHR, 16).selectFrom(table).reinterpretAsFloats());
                table = FloatVector.fromArray(F, tables, t + 5 * V).reinterpretAsInts();
                b = b.add(high.lanewise(VectorOperators.LSHR, 16)
                        .selectFrom(table)
                        .reinterpretAsFloats());
                low = low.and(0xffff);
                high = high.and(0xffff);
            }
        }
        a.add(b).intoArray(out, o);
    }

    /** One vector of lanes. */
    private static void multiply(
            MemorySegment page, long offset, int words, float[] weights, float[] out, int o, float constant) {
        FloatVector sum = FloatVector.fromArray(F, out, o).add(constant);
        for (int half = 0; half < 2 * words; half++) {
            long at = offset + (half >> 1) * (long) UNIT_BYTES;
            IntVector rest = IntVector.fromMemorySegment(I, page, at, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, (half & 1) * 16)
                    .and(0xffff);
            int j = half * Trits.PER_HALF;
            for (int i = j; i < j + Trits.PER_HALF; i++) {
                rest = rest.add(rest.lanewise(VectorOperators.LSHL, 1));
                sum = ((FloatVector) rest.lanewise(VectorOperators.LSHR, 16).convert(VectorOperators.I2F, 0))
                        .fma(FloatVector.broadcast(F, weights[i]), sum);
                rest = rest.and(0xffff);
            }
        }
        sum.intoArray(out, o);
    }

    /**
     * One vector of lanes of {@code count} depths from index {@code skip} of the first word on: {@code out[j] = code[j] *
     * work[scales + j] + work[zeros + j]}.
     */
    static void byDepth(
            MemorySegment page,
            long offset,
            int skip,
            int count,
            float[] work,
            int scales,
            int zeros,
            float[] out,
            int o,
            int stride) {
        int half = skip / Trits.PER_HALF;
        for (int j = half * Trits.PER_HALF - skip; j < count; half++) {
            long at = offset + (half >> 1) * (long) UNIT_BYTES;
            IntVector rest = IntVector.fromMemorySegment(I, page, at, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, (half & 1) * 16)
                    .and(0xffff);
            for (int end = j + Trits.PER_HALF; j < end; j++) {
                rest = rest.add(rest.lanewise(VectorOperators.LSHL, 1));
                if (j >= 0 && j < count) {
                    ((FloatVector) rest.lanewise(VectorOperators.LSHR, 16).convert(VectorOperators.I2F, 0))
                            .fma(FloatVector.broadcast(F, work[scales + j]), FloatVector.broadcast(F, work[zeros + j]))
                            .intoArray(out, o + j * stride);
                }
                rest = rest.and(0xffff);
            }
        }
    }

    /** As {@link #byDepth}, with a scale and a zero for each lane. */
    static void byLane(
            MemorySegment page,
            long offset,
            int skip,
            int count,
            float[] work,
            int scales,
            int zeros,
            float[] out,
            int o,
            int stride) {
        FloatVector scale = FloatVector.fromArray(F, work, scales);
        FloatVector zero = FloatVector.fromArray(F, work, zeros);
        int half = skip / Trits.PER_HALF;
        for (int j = half * Trits.PER_HALF - skip; j < count; half++) {
            long at = offset + (half >> 1) * (long) UNIT_BYTES;
            IntVector rest = IntVector.fromMemorySegment(I, page, at, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, (half & 1) * 16)
                    .and(0xffff);
            for (int end = j + Trits.PER_HALF; j < end; j++) {
                rest = rest.add(rest.lanewise(VectorOperators.LSHL, 1));
                if (j >= 0 && j < count) {
                    ((FloatVector) rest.lanewise(VectorOperators.LSHR, 16).convert(VectorOperators.I2F, 0))
                            .fma(scale, zero)
                            .intoArray(out, o + j * stride);
                }
                rest = rest.and(0xffff);
            }
        }
    }
}
