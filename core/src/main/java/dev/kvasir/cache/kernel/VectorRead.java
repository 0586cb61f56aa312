package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.S;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The product of one row with packed codes, no element of which is ever dequantized.
 *
 * <p>With scale s and zero z, {@code sum x (s u + z) = sum (x s) u + sum x z}. Where the scale belongs to the depth
 * (PER_DEPTH), the weights {@code x s} and the second sum are made once for a group of lanes. Where it belongs to the lane
 * (PER_LANE), {@code sum x u} is made for a group of depths and scaled lane by lane. The codes themselves are read by
 * {@link VectorPlanes}.
 */
final class VectorRead {
    private VectorRead() {}

    static void perDepth(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] x,
            int xOffset,
            float[] out,
            int outOffset,
            float[] work) {
        int depth = depthTo - depthFrom;
        int lane = laneFrom;
        while (lane < laneTo) {
            int group = lane / layout.group();
            int groupEnd = Math.min(laneTo, (group + 1) * layout.group());
            long skipped = depthFrom * 2L;
            boolean hasZero = layout.quantizer().hasZero();
            long scales = layout.scaleOffset(group) + skipped;
            long zeros = hasZero ? layout.zeroOffset(group) + skipped : scales;
            float constant = weigh(page, scales, zeros, depth, x, xOffset, work);
            constant *= hasZero ? 1 : -layout.quantizer().offset();
            int o = outOffset + lane - laneFrom;
            addPlanes(layout, page, lane, groupEnd, depthFrom, depth, work, out, o, constant);
            lane = groupEnd;
        }
    }

    static void perLane(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] x,
            int xOffset,
            float[] out,
            int outOffset,
            float[] work) {
        int lanes = laneTo - laneFrom;
        int group = layout.group();
        int sums = 2 * layout.depth();
        for (int depth = depthFrom; depth < depthTo; depth += group) {
            float total = 0;
            for (int i = 0; i < group; i++) {
                float xi = x[xOffset + depth - depthFrom + i];
                work[i] = xi;
                total += xi;
            }
            for (int i = 0; i < lanes; i++) {
                work[sums + i] = 0;
            }
            boolean hasZero = layout.quantizer().hasZero();
            float constant = hasZero ? 0 : -layout.quantizer().offset() * total;
            addPlanes(layout, page, laneFrom, laneTo, depth, group, work, work, sums, constant);
            long skipped = laneFrom * 2L;
            long scales = layout.scaleOffset(depth / group) + skipped;
            VectorElements.decodeParameters(page, scales, lanes, work, sums + lanes);
            for (int i = 0; i < lanes; i += V) {
                FloatVector.fromArray(F, work, sums + i)
                        .fma(
                                FloatVector.fromArray(F, work, sums + lanes + i),
                                FloatVector.fromArray(F, out, outOffset + i))
                        .intoArray(out, outOffset + i);
            }
            if (hasZero) {
                long zeros = layout.zeroOffset(depth / group) + skipped;
                VectorElements.decodeParameters(page, zeros, lanes, work, sums);
                for (int i = 0; i < lanes; i += V) {
                    FloatVector.fromArray(F, work, sums + i)
                            .fma(FloatVector.broadcast(F, total), FloatVector.fromArray(F, out, outOffset + i))
                            .intoArray(out, outOffset + i);
                }
            }
        }
    }

    /** {@code out[l] += constant + sum over j of weights[j] * code[j][l]}; destroys the weights. */
    private static void addPlanes(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depth,
            float[] weights,
            float[] out,
            int outOffset,
            float constant) {
        int units = (laneTo - laneFrom) / PackedLayout.UNIT;
        int tables = 2 * (layout.depth() + layout.lanes());
        for (int plane = 0; plane < layout.planes(); plane++) {
            int width = layout.planeBits(plane);
            if (plane > 0) {
                VectorSoftmax.scale(weights, 0, depth, 1 << layout.planeShift(plane));
            }
            long offset = layout.wordOffset(plane, laneFrom / PackedLayout.UNIT, depthFrom * width / 32);
            long unitStride = layout.wordOffset(plane, 1, 0) - layout.wordOffset(plane, 0, 0);
            int words = depth * width / 32;
            float first = plane == 0 ? constant : 0;
            VectorPlanes.add(width, page, offset, unitStride, units, words, weights, tables, out, outOffset, first);
        }
    }

    /**
     * {@code work[i] = x[i] * scales[i]}; returns the sum of {@code x[i] * zeros[i]}. The conversion from F16 is that of {@link
     * VectorElements#decodeParameters}, written out: see {@link VectorKernels} for why.
     */
    private static float weigh(
            MemorySegment page, long scales, long zeros, int count, float[] x, int xOffset, float[] work) {
        FloatVector sums = FloatVector.zero(F);
        for (int i = 0; i < count; i += V) {
            FloatVector xi = FloatVector.fromArray(F, x, xOffset + i);
            IntVector scaleBits =
                    (IntVector) ShortVector.fromMemorySegment(S, page, scales + 2L * i, ByteOrder.LITTLE_ENDIAN)
                            .convertShape(VectorOperators.S2I, I, 0);
            FloatVector scale = scaleBits
                    .and(0x7fff)
                    .lanewise(VectorOperators.LSHL, 13)
                    .reinterpretAsFloats()
                    .mul(0x1p112f);
            scale = scale.reinterpretAsInts().or(scaleBits.and(0x8000_0000)).reinterpretAsFloats();
            scale.mul(xi).intoArray(work, i);
            IntVector zeroBits =
                    (IntVector) ShortVector.fromMemorySegment(S, page, zeros + 2L * i, ByteOrder.LITTLE_ENDIAN)
                            .convertShape(VectorOperators.S2I, I, 0);
            FloatVector zero = zeroBits.and(0x7fff)
                    .lanewise(VectorOperators.LSHL, 13)
                    .reinterpretAsFloats()
                    .mul(0x1p112f);
            zero = zero.reinterpretAsInts().or(zeroBits.and(0x8000_0000)).reinterpretAsFloats();
            sums = zero.fma(xi, sums);
        }
        return Species.sum(sums);
    }
}
