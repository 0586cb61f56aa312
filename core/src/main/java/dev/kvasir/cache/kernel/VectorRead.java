package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

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
            float weights = weigh(page, layout.scaleOffset(group) + skipped, depth, x, xOffset, work);
            float constant = layout.quantizer().hasZero()
                    ? dotF16(page, layout.zeroOffset(group) + skipped, depth, x, xOffset)
                    : -layout.quantizer().offset() * weights;
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
        int sums = layout.depth();
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
            long scales = layout.scaleOffset(depth / group) + laneFrom * 2L;
            long zeros = hasZero ? layout.zeroOffset(depth / group) + laneFrom * 2L : 0;
            for (int i = 0; i < lanes; i += V) {
                FloatVector sum = FloatVector.fromArray(F, out, outOffset + i);
                FloatVector scale = VectorElements.f16(page, scales + 2L * i);
                sum = FloatVector.fromArray(F, work, sums + i).fma(scale, sum);
                if (hasZero) {
                    sum = VectorElements.f16(page, zeros + 2L * i).fma(FloatVector.broadcast(F, total), sum);
                }
                sum.intoArray(out, outOffset + i);
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
        int tables = layout.depth() + layout.lanes();
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

    /** {@code work[i] = x[i] * f16[i]}; returns the sum. */
    private static float weigh(MemorySegment page, long offset, int count, float[] x, int xOffset, float[] work) {
        FloatVector sums = FloatVector.zero(F);
        for (int i = 0; i < count; i += V) {
            FloatVector weights =
                    VectorElements.f16(page, offset + 2L * i).mul(FloatVector.fromArray(F, x, xOffset + i));
            weights.intoArray(work, i);
            sums = sums.add(weights);
        }
        return Species.sum(sums);
    }

    private static float dotF16(MemorySegment page, long offset, int count, float[] x, int xOffset) {
        FloatVector sums = FloatVector.zero(F);
        for (int i = 0; i < count; i += V) {
            sums = VectorElements.f16(page, offset + 2L * i).fma(FloatVector.fromArray(F, x, xOffset + i), sums);
        }
        return Species.sum(sums);
    }
}
