package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.V;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Turns a tile of packed codes into floats, where many rows will read it. Codes of a codebook are unpacked as they are, then
 * replaced by what they mean.
 */
final class VectorUnpack {
    private static final int UNIT_BYTES = PackedLayout.UNIT * 4;

    private VectorUnpack() {}

    static void unpack(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        if (layout.axis() == Axis.PER_DEPTH) {
            int lane = laneFrom;
            while (lane < laneTo) {
                int groupEnd = Math.min(laneTo, (lane / layout.group() + 1) * layout.group());
                int o = outOffset + lane - laneFrom;
                groupOfLanes(layout, page, lane, groupEnd, depthFrom, depthTo, out, o, outStride, work);
                lane = groupEnd;
            }
            return;
        }
        int depth = depthFrom;
        while (depth < depthTo) {
            int groupEnd = Math.min(depthTo, (depth / layout.group() + 1) * layout.group());
            int o = outOffset + (depth - depthFrom) * outStride;
            groupOfDepths(layout, page, laneFrom, laneTo, depth, groupEnd, out, o, outStride, work);
            depth = groupEnd;
        }
    }

    static void rows(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            int[] rows,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        if (layout.axis() != Axis.PER_LANE || layout.quantizer().isCodebook() || layout.bits() == PackedLayout.TRITS) {
            throw new IllegalArgumentException("rows of " + layout + " in another order");
        }
        int lanes = laneTo - laneFrom;
        for (int depth = depthFrom; depth < depthTo; ) {
            int end = Math.min(depthTo, (depth / layout.group() + 1) * layout.group());
            VectorParameters.decode(layout, page, layout.parameterIndex(depth, laneFrom), lanes, work, 0);
            for (int plane = 0; plane < layout.planes(); plane++) {
                if (plane > 0) {
                    VectorSoftmax.scale(work, 0, lanes, 1 << layout.planeShift(plane));
                }
                for (int i = 0; i < lanes; i += V) {
                    int o = outOffset + i;
                    rowsByLane(
                            layout, plane, page, laneFrom + i, depth, end, rows, work, i, lanes + i, out, o, outStride);
                }
            }
            depth = end;
        }
    }

    /** One vector of lanes of one plane of depths {@code from} to {@code to - 1}. */
    private static void rowsByLane(
            PackedLayout layout,
            int plane,
            MemorySegment page,
            int lane,
            int from,
            int to,
            int[] rows,
            float[] work,
            int scales,
            int zeros,
            float[] out,
            int o,
            int stride) {
        long offset = layout.wordAt(plane, from, lane);
        int perWord = layout.perWord(plane);
        int width = layout.planeBits(plane);
        IntVector mask = IntVector.broadcast(I, (1 << width) - 1);
        IntVector shift = IntVector.broadcast(I, width);
        FloatVector scale = FloatVector.fromArray(F, work, scales);
        FloatVector zero = FloatVector.fromArray(F, work, zeros);
        for (int j = from; j < to; offset += UNIT_BYTES) {
            IntVector codes = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, j % perWord * width);
            for (int end = Math.min(to, (j / perWord + 1) * perWord); j < end; j++) {
                int at = o + rows[j] * stride;
                FloatVector base = plane == 0 ? zero : FloatVector.fromArray(F, out, at);
                ((FloatVector) codes.and(mask).convert(VectorOperators.I2F, 0))
                        .fma(scale, base)
                        .intoArray(out, at);
                codes = codes.lanewise(VectorOperators.LSHR, shift);
            }
        }
    }

    private static void groupOfLanes(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        int count = depthTo - depthFrom;
        VectorParameters.decode(layout, page, layout.parameterIndex(depthFrom, laneFrom), count, work, 0);
        Quantizer quantizer = layout.quantizer();
        if (quantizer.isCodebook()) {
            codes(layout, page, laneFrom, laneTo, depthFrom, count, work, 2 * count, out, outOffset, outStride);
            for (int j = 0; j < count; j++) {
                VectorLevels.mean(
                        quantizer.levels(),
                        1 << layout.bits(),
                        out,
                        outOffset + j * outStride,
                        laneTo - laneFrom,
                        work[j],
                        work[count + j]);
            }
            return;
        }
        for (int plane = 0; plane < layout.planes(); plane++) {
            int width = layout.planeBits(plane);
            if (plane > 0) {
                VectorSoftmax.scale(work, 0, count, 1 << layout.planeShift(plane));
            }
            for (int lane = laneFrom; lane < laneTo; lane += V) {
                long offset = layout.wordAt(plane, depthFrom, lane);
                int skip = depthFrom % layout.perWord(plane);
                int o = outOffset + lane - laneFrom;
                if (layout.bits() == PackedLayout.TRITS) {
                    VectorTrits.byDepth(page, offset, skip, count, work, 0, count, out, o, outStride);
                } else {
                    byDepth(width, page, offset, skip, count, work, plane == 0, out, o, outStride);
                }
            }
        }
    }

    private static void groupOfDepths(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depth,
            int depthTo,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        int lanes = laneTo - laneFrom;
        int count = depthTo - depth;
        VectorParameters.decode(layout, page, layout.parameterIndex(depth, laneFrom), lanes, work, 0);
        Quantizer quantizer = layout.quantizer();
        if (quantizer.isCodebook()) {
            codes(layout, page, laneFrom, laneTo, depth, count, work, 2 * lanes, out, outOffset, outStride);
            for (int j = 0; j < count; j++) {
                VectorLevels.mean(quantizer.levels(), 1 << layout.bits(), out, outOffset + j * outStride, lanes, work);
            }
            return;
        }
        for (int plane = 0; plane < layout.planes(); plane++) {
            if (plane > 0) {
                VectorSoftmax.scale(work, 0, lanes, 1 << layout.planeShift(plane));
            }
            for (int i = 0; i < lanes; i += V) {
                int o = outOffset + i;
                byLane(layout, plane, page, laneFrom + i, depth, count, work, i, lanes + i, out, o, outStride);
            }
        }
    }

    /** Unpacks the codes themselves. */
    private static void codes(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depth,
            int count,
            float[] work,
            int room,
            float[] out,
            int outOffset,
            int outStride) {
        for (int plane = 0; plane < layout.planes(); plane++) {
            Arrays.fill(work, room, room + V, 1 << layout.planeShift(plane));
            Arrays.fill(work, room + V, room + 2 * V, 0);
            for (int lane = laneFrom; lane < laneTo; lane += V) {
                int o = outOffset + lane - laneFrom;
                byLane(layout, plane, page, lane, depth, count, work, room, room + V, out, o, outStride);
            }
        }
    }

    /**
     * One vector of lanes of one plane: {@code out[j] = scales[j] * field + zeros[j]} for the first plane, {@code out[j] +=
     * scales[j] * field} for the others.
     *
     * @param skip fields of the first word that belong to depths before the first
     */
    private static void byDepth(
            int width,
            MemorySegment page,
            long offset,
            int skip,
            int count,
            float[] scalesThenZeros,
            boolean first,
            float[] out,
            int o,
            int stride) {
        int perWord = 32 / width;
        IntVector mask = IntVector.broadcast(I, (1 << width) - 1);
        IntVector shift = IntVector.broadcast(I, width);
        int at = o;
        int i = 0;
        for (int end = perWord - skip; i < count; end += perWord, offset += UNIT_BYTES) {
            IntVector codes = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, (perWord - end + i) * width);
            for (int last = Math.min(end, count); i < last; i++, at += stride) {
                FloatVector base = first
                        ? FloatVector.broadcast(F, scalesThenZeros[count + i])
                        : FloatVector.fromArray(F, out, at);
                ((FloatVector) codes.and(mask).convert(VectorOperators.I2F, 0))
                        .fma(FloatVector.broadcast(F, scalesThenZeros[i]), base)
                        .intoArray(out, at);
                codes = codes.lanewise(VectorOperators.LSHR, shift);
            }
        }
    }

    /** As {@link #byDepth}, with a scale for each lane. */
    private static void byLane(
            PackedLayout layout,
            int plane,
            MemorySegment page,
            int lane,
            int depth,
            int count,
            float[] work,
            int scales,
            int zeros,
            float[] out,
            int o,
            int stride) {
        long offset = layout.wordAt(plane, depth, lane);
        int perWord = layout.perWord(plane);
        int skip = depth % perWord;
        if (layout.bits() == PackedLayout.TRITS) {
            VectorTrits.byLane(page, offset, skip, count, work, scales, zeros, out, o, stride);
            return;
        }
        int width = layout.planeBits(plane);
        IntVector mask = IntVector.broadcast(I, (1 << width) - 1);
        IntVector shift = IntVector.broadcast(I, width);
        FloatVector scale = FloatVector.fromArray(F, work, scales);
        FloatVector zero = FloatVector.fromArray(F, work, zeros);
        int at = o;
        int i = 0;
        for (int end = perWord - skip; i < count; end += perWord, offset += UNIT_BYTES) {
            IntVector codes = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.LSHR, (perWord - end + i) * width);
            for (int last = Math.min(end, count); i < last; i++, at += stride) {
                FloatVector base = plane == 0 ? zero : FloatVector.fromArray(F, out, at);
                ((FloatVector) codes.and(mask).convert(VectorOperators.I2F, 0))
                        .fma(scale, base)
                        .intoArray(out, at);
                codes = codes.lanewise(VectorOperators.LSHR, shift);
            }
        }
    }
}
