package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Kernels.PANEL;
import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Scores of one query against keys kept before RoPE, in one pass from the words of both channels of a pair to the sum: no key
 * is ever written. Codes and levels are those of {@link VectorGiven}.
 */
final class VectorTurned {
    private static final int UNIT_BYTES = PackedLayout.UNIT * 4;

    private VectorTurned() {}

    static void scores(
            PackedLayout layout,
            MemorySegment page,
            int lane,
            int depthFrom,
            int half,
            float[] scales,
            float[] zeros,
            int p,
            float[] cosines,
            float[] sines,
            float[] query,
            int q,
            float[] out,
            int o) {
        float[] levels = layout.quantizer().levels();
        int bits = layout.bits();
        int other = depthFrom + half;
        for (int j = 0; j < PANEL; j += V) {
            long a = layout.wordAt(0, depthFrom, lane + j);
            long b = layout.wordAt(0, other, lane + j);
            int skips = ((depthFrom % 32) << 8) | (other % 32);
            if (bits == 3) {
                long highA = layout.wordAt(1, depthFrom, lane + j);
                long highB = layout.wordAt(1, other, lane + j);
                three(
                        levels, page, a, b, highA, highB, skips, half, scales, zeros, p, cosines, sines, j, query, q,
                        out, o);
            } else {
                one(levels, bits, page, a, b, skips, half, scales, zeros, p, cosines, sines, j, query, q, out, o);
            }
        }
    }

    /** Codes of one plane of 1, 2 or 4 bits, {@code skips} as for {@link #three}. */
    private static void one(
            float[] levels,
            int width,
            MemorySegment page,
            long wordsA,
            long wordsB,
            int skips,
            int half,
            float[] scales,
            float[] zeros,
            int p,
            float[] cosines,
            float[] sines,
            int j,
            float[] query,
            int q,
            float[] out,
            int o) {
        int count = 1 << width;
        int perWord = 32 / width;
        int run = Math.min(PackedLayout.UNIT, perWord);
        IntVector mask = IntVector.broadcast(I, count - 1);
        IntVector shift = IntVector.broadcast(I, width);
        IntVector lowest = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        FloatVector even = FloatVector.zero(F);
        FloatVector odd = FloatVector.zero(F);
        for (int first = 0; first < half; first += run) {
            int atA = (skips >> 8) % perWord + first;
            int atB = (skips & 255) % perWord + first;
            IntVector c = IntVector.fromMemorySegment(
                            I, page, wordsA + atA / perWord * (long) UNIT_BYTES, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, atA % perWord * width);
            IntVector d = IntVector.fromMemorySegment(
                            I, page, wordsB + atB / perWord * (long) UNIT_BYTES, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, atB % perWord * width);
            for (int i = first; i < first + run; i++) {
                IntVector indexA = c.and(mask);
                IntVector indexB = d.and(mask);
                IntVector levelA = indexA.selectFrom(lowest);
                IntVector levelB = indexB.selectFrom(lowest);
                for (int part = V; part < count; part += V) {
                    IntVector higher = FloatVector.fromArray(F, levels, part).reinterpretAsInts();
                    levelA = levelA.blend(indexA.selectFrom(higher), indexA.compare(VectorOperators.GE, part));
                    levelB = levelB.blend(indexB.selectFrom(higher), indexB.compare(VectorOperators.GE, part));
                }
                FloatVector a = levelA.reinterpretAsFloats()
                        .fma(FloatVector.broadcast(F, scales[p + i]), FloatVector.broadcast(F, zeros[p + i]));
                FloatVector b = levelB.reinterpretAsFloats()
                        .fma(
                                FloatVector.broadcast(F, scales[p + half + i]),
                                FloatVector.broadcast(F, zeros[p + half + i]));
                FloatVector x = FloatVector.broadcast(F, query[q + i]);
                FloatVector y = FloatVector.broadcast(F, query[q + half + i]);
                even = a.fma(x, b.mul(y)).fma(FloatVector.fromArray(F, cosines, j + i * PANEL), even);
                odd = a.mul(y).sub(b.mul(x)).fma(FloatVector.fromArray(F, sines, j + i * PANEL), odd);
                c = c.lanewise(VectorOperators.LSHR, shift);
                d = d.lanewise(VectorOperators.LSHR, shift);
            }
        }
        even.add(odd).intoArray(out, o + j);
    }

    /**
     * Codes of three bits, two from the low words, 16 to a word, the third from the high ones, 32 to a word.
     *
     * @param skips first depth of either half, modulo 32: of the first half << 8 | of the second
     */
    private static void three(
            float[] levels,
            MemorySegment page,
            long lowA,
            long lowB,
            long highA,
            long highB,
            int skips,
            int half,
            float[] scales,
            float[] zeros,
            int p,
            float[] cosines,
            float[] sines,
            int j,
            float[] query,
            int q,
            float[] out,
            int o) {
        IntVector lowest = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        IntVector highest = FloatVector.fromArray(F, levels, V == 4 ? 4 : 0).reinterpretAsInts();
        FloatVector even = FloatVector.zero(F);
        FloatVector odd = FloatVector.zero(F);
        for (int first = 0; first < half; first += 16) {
            int atA = (skips >> 8) + first;
            int atB = (skips & 255) + first;
            long word = (first >> 4) * (long) UNIT_BYTES;
            IntVector ca = IntVector.fromMemorySegment(I, page, lowA + word, ByteOrder.LITTLE_ENDIAN);
            IntVector cb = IntVector.fromMemorySegment(I, page, lowB + word, ByteOrder.LITTLE_ENDIAN);
            IntVector da = IntVector.fromMemorySegment(
                            I, page, highA + (atA >> 5) * (long) UNIT_BYTES, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, atA % 32)
                    .lanewise(VectorOperators.LSHL, 2);
            IntVector db = IntVector.fromMemorySegment(
                            I, page, highB + (atB >> 5) * (long) UNIT_BYTES, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, atB % 32)
                    .lanewise(VectorOperators.LSHL, 2);
            for (int i = first; i < first + 16; i++) {
                IntVector indexA = ca.and(3).or(da.and(4));
                IntVector indexB = cb.and(3).or(db.and(4));
                IntVector levelA = indexA.selectFrom(lowest);
                IntVector levelB = indexB.selectFrom(lowest);
                if (V == 4) {
                    levelA = levelA.blend(indexA.selectFrom(highest), indexA.compare(VectorOperators.GE, 4));
                    levelB = levelB.blend(indexB.selectFrom(highest), indexB.compare(VectorOperators.GE, 4));
                }
                FloatVector a = levelA.reinterpretAsFloats()
                        .fma(FloatVector.broadcast(F, scales[p + i]), FloatVector.broadcast(F, zeros[p + i]));
                FloatVector b = levelB.reinterpretAsFloats()
                        .fma(
                                FloatVector.broadcast(F, scales[p + half + i]),
                                FloatVector.broadcast(F, zeros[p + half + i]));
                FloatVector x = FloatVector.broadcast(F, query[q + i]);
                FloatVector y = FloatVector.broadcast(F, query[q + half + i]);
                even = a.fma(x, b.mul(y)).fma(FloatVector.fromArray(F, cosines, j + i * PANEL), even);
                odd = a.mul(y).sub(b.mul(x)).fma(FloatVector.fromArray(F, sines, j + i * PANEL), odd);
                ca = ca.lanewise(VectorOperators.LSHR, 2);
                cb = cb.lanewise(VectorOperators.LSHR, 2);
                da = da.lanewise(VectorOperators.LSHR, 1);
                db = db.lanewise(VectorOperators.LSHR, 1);
            }
        }
        even.add(odd).intoArray(out, o + j);
    }
}
