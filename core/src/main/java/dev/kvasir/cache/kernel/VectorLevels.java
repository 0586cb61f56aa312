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
 * Codes of a codebook looked up one by one by an in-register permute of its levels, {@code levels[16]}.
 *
 * <p>A vector of 16 lanes holds them all and a permute ignores all but the four low bits of an index. Shorter vectors permute
 * each part of the levels and keep what belongs.
 */
final class VectorLevels {
    private static final int UNIT_BYTES = PackedLayout.UNIT * 4;

    private VectorLevels() {}

    /** {@code out[l] += constant + sum over j of weights[j] * levels[code[j][l]]} for codes of one plane of 1, 2 or 4 bits. */
    static void add(
            int width,
            MemorySegment page,
            long offset,
            int words,
            float[] weights,
            float[] levels,
            float[] out,
            int outOffset,
            float constant) {
        int perWord = 32 / width;
        int count = 1 << width;
        IntVector mask = IntVector.broadcast(I, count - 1);
        IntVector shift = IntVector.broadcast(I, width);
        IntVector lowest = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        for (int lane = 0; lane < PackedLayout.UNIT; lane += V) {
            long at = offset + lane * 4L;
            FloatVector sum = FloatVector.fromArray(F, out, outOffset + lane).add(constant);
            for (int j = 0; j < words * perWord; j += perWord, at += UNIT_BYTES) {
                IntVector codes = IntVector.fromMemorySegment(I, page, at, ByteOrder.LITTLE_ENDIAN);
                for (int i = j; i < j + perWord; i++) {
                    IntVector index = codes.and(mask);
                    IntVector level = index.selectFrom(lowest);
                    for (int part = V; part < count; part += V) {
                        IntVector higher = index.selectFrom(
                                FloatVector.fromArray(F, levels, part).reinterpretAsInts());
                        level = level.blend(higher, index.compare(VectorOperators.GE, part));
                    }
                    sum = level.reinterpretAsFloats().fma(FloatVector.broadcast(F, weights[i]), sum);
                    codes = codes.lanewise(VectorOperators.LSHR, shift);
                }
            }
            sum.intoArray(out, outOffset + lane);
        }
    }

    /** As {@link #add} for one vector of lanes of 3-bit codes, two bits from the word at {@code low}, the third from {@code high}. */
    static void add3(
            MemorySegment page,
            long low,
            long high,
            int words,
            float[] weights,
            float[] levels,
            float[] out,
            int outOffset,
            float constant) {
        IntVector lowest = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        IntVector highest = FloatVector.fromArray(F, levels, V == 4 ? 4 : 0).reinterpretAsInts();
        FloatVector a = FloatVector.fromArray(F, out, outOffset).add(constant);
        FloatVector b = FloatVector.zero(F);
        for (int k = 0; k < words; k++) {
            long at = high + (k >> 1) * (long) UNIT_BYTES;
            IntVector c = IntVector.fromMemorySegment(I, page, low + k * (long) UNIT_BYTES, ByteOrder.LITTLE_ENDIAN);
            IntVector d = IntVector.fromMemorySegment(I, page, at, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, (k & 1) * 16);
            for (int i = 16 * k; i < 16 * k + 16; i += 2) {
                IntVector index =
                        c.and(3).or(d.lanewise(VectorOperators.LSHL, 2).and(4));
                IntVector level = index.selectFrom(lowest);
                if (V == 4) {
                    level = level.blend(index.selectFrom(highest), index.compare(VectorOperators.GE, 4));
                }
                a = level.reinterpretAsFloats().fma(FloatVector.broadcast(F, weights[i]), a);
                index = c.lanewise(VectorOperators.LSHR, 2)
                        .and(3)
                        .or(d.lanewise(VectorOperators.LSHL, 1).and(4));
                level = index.selectFrom(lowest);
                if (V == 4) {
                    level = level.blend(index.selectFrom(highest), index.compare(VectorOperators.GE, 4));
                }
                b = level.reinterpretAsFloats().fma(FloatVector.broadcast(F, weights[i + 1]), b);
                c = c.lanewise(VectorOperators.LSHR, 4);
                d = d.lanewise(VectorOperators.LSHR, 2);
            }
        }
        a.add(b).intoArray(out, outOffset);
    }

    /** Replaces the codes of a row by what they mean, with a scale and a zero for all. */
    static void mean(float[] levels, int count, float[] row, int at, int lanes, float scale, float zero) {
        IntVector lowest = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        for (int i = at; i < at + lanes; i += V) {
            IntVector index = (IntVector) FloatVector.fromArray(F, row, i).convert(VectorOperators.F2I, 0);
            IntVector level = index.selectFrom(lowest);
            for (int part = V; part < count; part += V) {
                IntVector higher =
                        index.selectFrom(FloatVector.fromArray(F, levels, part).reinterpretAsInts());
                level = level.blend(higher, index.compare(VectorOperators.GE, part));
            }
            level.reinterpretAsFloats()
                    .fma(FloatVector.broadcast(F, scale), FloatVector.broadcast(F, zero))
                    .intoArray(row, i);
        }
    }

    /** As {@link #mean(float[], int, float[], int, int, float, float)} with {@code lanes} scales in {@code work}, then as many zeros. */
    static void mean(float[] levels, int count, float[] row, int at, int lanes, float[] work) {
        IntVector lowest = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        for (int i = 0; i < lanes; i += V) {
            IntVector index = (IntVector) FloatVector.fromArray(F, row, at + i).convert(VectorOperators.F2I, 0);
            IntVector level = index.selectFrom(lowest);
            for (int part = V; part < count; part += V) {
                IntVector higher =
                        index.selectFrom(FloatVector.fromArray(F, levels, part).reinterpretAsInts());
                level = level.blend(higher, index.compare(VectorOperators.GE, part));
            }
            level.reinterpretAsFloats()
                    .fma(FloatVector.fromArray(F, work, i), FloatVector.fromArray(F, work, lanes + i))
                    .intoArray(row, at + i);
        }
    }
}
