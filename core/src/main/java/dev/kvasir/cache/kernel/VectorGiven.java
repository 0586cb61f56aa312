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
 * Turns a panel of codebook codes into floats under the caller's own scale and zero for each depth: one pass from the words to
 * the numbers, levels looked up as {@link VectorLevels} does. Rows are a panel's width apart, a constant, so that the JIT
 * checks bounds once for a word.
 */
final class VectorGiven {
    private static final int UNIT_BYTES = PackedLayout.UNIT * 4;

    private VectorGiven() {}

    static void unpack(
            PackedLayout layout,
            MemorySegment page,
            int lane,
            int depthFrom,
            int depthTo,
            float[] scales,
            float[] zeros,
            int parameters,
            float[] out,
            int outOffset) {
        float[] levels = layout.quantizer().levels();
        int depths = depthTo - depthFrom;
        for (int i = 0; i < PANEL; i += V) {
            long low = layout.wordAt(0, depthFrom, lane + i);
            if (layout.bits() == 3) {
                long high = layout.wordAt(1, depthFrom, lane + i);
                three(levels, page, low, high, depthFrom % 32, depths, scales, zeros, parameters, out, outOffset + i);
            } else {
                one(levels, layout.bits(), page, low, depthFrom, depths, scales, zeros, parameters, out, outOffset + i);
            }
        }
    }

    /** Codes of one plane of 1, 2 or 4 bits. */
    private static void one(
            float[] levels,
            int width,
            MemorySegment page,
            long offset,
            int depth,
            int depths,
            float[] scales,
            float[] zeros,
            int parameters,
            float[] out,
            int o) {
        int perWord = 32 / width;
        int count = 1 << width;
        int skip = depth % perWord;
        IntVector mask = IntVector.broadcast(I, count - 1);
        IntVector shift = IntVector.broadcast(I, width);
        IntVector lowest = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        int i = 0;
        for (int end = perWord - skip; i < depths; end += perWord, offset += UNIT_BYTES) {
            IntVector codes = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, (perWord - end + i) * width);
            for (int last = Math.min(end, depths); i < last; i++) {
                IntVector index = codes.and(mask);
                IntVector level = index.selectFrom(lowest);
                for (int part = V; part < count; part += V) {
                    IntVector higher = index.selectFrom(
                            FloatVector.fromArray(F, levels, part).reinterpretAsInts());
                    level = level.blend(higher, index.compare(VectorOperators.GE, part));
                }
                level.reinterpretAsFloats()
                        .fma(
                                FloatVector.broadcast(F, scales[parameters + i]),
                                FloatVector.broadcast(F, zeros[parameters + i]))
                        .intoArray(out, o + i * PANEL);
                codes = codes.lanewise(VectorOperators.LSHR, shift);
            }
        }
    }

    /** Codes of three bits, two from the words at {@code low}, 16 to a word, the third from {@code high}, 32 to a word. */
    private static void three(
            float[] levels,
            MemorySegment page,
            long low,
            long high,
            int skip,
            int depths,
            float[] scales,
            float[] zeros,
            int parameters,
            float[] out,
            int o) {
        IntVector lowest = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        IntVector highest = FloatVector.fromArray(F, levels, V == 4 ? 4 : 0).reinterpretAsInts();
        for (int first = 0; first < depths; first += 16) {
            int bit = (skip + first) % 32;
            IntVector c = IntVector.fromMemorySegment(
                    I, page, low + (first >> 4) * (long) UNIT_BYTES, ByteOrder.LITTLE_ENDIAN);
            IntVector d = IntVector.fromMemorySegment(
                            I, page, high + ((skip + first) >> 5) * (long) UNIT_BYTES, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, bit)
                    .lanewise(VectorOperators.LSHL, 2);
            for (int i = first; i < first + 16; i++) {
                IntVector index = c.and(3).or(d.and(4));
                IntVector level = index.selectFrom(lowest);
                if (V == 4) {
                    level = level.blend(index.selectFrom(highest), index.compare(VectorOperators.GE, 4));
                }
                level.reinterpretAsFloats()
                        .fma(
                                FloatVector.broadcast(F, scales[parameters + i]),
                                FloatVector.broadcast(F, zeros[parameters + i]))
                        .intoArray(out, o + i * PANEL);
                c = c.lanewise(VectorOperators.LSHR, 2);
                d = d.lanewise(VectorOperators.LSHR, 1);
            }
        }
    }
}
