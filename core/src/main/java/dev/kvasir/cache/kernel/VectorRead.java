package dev.kvasir.cache.kernel;

import java.lang.foreign.MemorySegment;

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
            VectorElements.decodeF16(page, layout.scaleOffset(group) + skipped, depth, work, 0);
            boolean hasZero = layout.quantizer().hasZero();
            if (hasZero) {
                VectorElements.decodeF16(page, layout.zeroOffset(group) + skipped, depth, work, depth);
            }
            float constant = VectorDense.dot(work, hasZero ? depth : 0, x, xOffset, depth);
            constant *= hasZero ? 1 : -layout.quantizer().offset();
            for (int i = 0; i < depth; i++) {
                work[i] *= x[xOffset + i];
            }
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
            VectorElements.decodeF16(page, layout.scaleOffset(depth / group) + skipped, lanes, work, sums + lanes);
            for (int i = 0; i < lanes; i++) {
                out[outOffset + i] = Math.fma(work[sums + i], work[sums + lanes + i], out[outOffset + i]);
            }
            if (hasZero) {
                VectorElements.decodeF16(page, layout.zeroOffset(depth / group) + skipped, lanes, work, sums);
                for (int i = 0; i < lanes; i++) {
                    out[outOffset + i] = Math.fma(work[sums + i], total, out[outOffset + i]);
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
}
