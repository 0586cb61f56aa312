package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.V;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** Turns a tile of packed codes into floats, where many rows will read it. */
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
        for (int depth = depthFrom; depth < depthTo; depth += layout.group()) {
            int o = outOffset + (depth - depthFrom) * outStride;
            groupOfDepths(layout, page, laneFrom, laneTo, depth, out, o, outStride, work);
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
        int group = laneFrom / layout.group();
        parameters(layout, page, group, depthFrom, count, work);
        for (int plane = 0; plane < layout.planes(); plane++) {
            int width = layout.planeBits(plane);
            if (plane > 0) {
                VectorSoftmax.scale(work, 0, count, 1 << layout.planeShift(plane));
            }
            for (int lane = laneFrom; lane < laneTo; lane += V) {
                long offset = wordOffset(layout, plane, lane, depthFrom);
                int o = outOffset + lane - laneFrom;
                byDepth(width, page, offset, count, work, plane == 0, out, o, outStride);
            }
        }
    }

    /** Writes {@code count} scales of a group, then as many zeros. */
    private static void parameters(
            PackedLayout layout, MemorySegment page, int group, int from, int count, float[] work) {
        boolean hasZero = layout.quantizer().hasZero();
        for (int kind = 0; kind < 2; kind++) {
            long first = kind == 1 && hasZero ? layout.zeroOffset(group) : layout.scaleOffset(group);
            VectorElements.decodeParameters(page, first + from * 2L, count, work, kind * count);
        }
        if (!hasZero) {
            VectorSoftmax.scale(work, count, count, -layout.quantizer().offset());
        }
    }

    private static long wordOffset(PackedLayout layout, int plane, int lane, int depth) {
        return layout.wordOffset(plane, lane / PackedLayout.UNIT, depth * layout.planeBits(plane) / 32)
                + lane % PackedLayout.UNIT * 4L;
    }

    /**
     * One vector of lanes of one plane: {@code out[j] = scales[j] * field + zeros[j]} for the first plane, {@code out[j] +=
     * scales[j] * field} for the others.
     */
    private static void byDepth(
            int width,
            MemorySegment page,
            long offset,
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
        for (int j = 0; j < count; j += perWord, offset += UNIT_BYTES) {
            IntVector codes = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN);
            for (int i = j; i < j + perWord; i++, at += stride) {
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

    private static void groupOfDepths(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depth,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        int group = depth / layout.group();
        int lanes = laneTo - laneFrom;
        parameters(layout, page, group, laneFrom, lanes, work);
        for (int plane = 0; plane < layout.planes(); plane++) {
            int width = layout.planeBits(plane);
            if (plane > 0) {
                VectorSoftmax.scale(work, 0, lanes, 1 << layout.planeShift(plane));
            }
            for (int i = 0; i < lanes; i += V) {
                long offset = wordOffset(layout, plane, laneFrom + i, depth);
                byLane(
                        width,
                        page,
                        offset,
                        layout.group(),
                        work,
                        i,
                        lanes + i,
                        plane == 0,
                        out,
                        outOffset + i,
                        outStride);
            }
        }
    }

    /** As {@link #byDepth}, with a scale for each lane. */
    private static void byLane(
            int width,
            MemorySegment page,
            long offset,
            int count,
            float[] work,
            int scales,
            int zeros,
            boolean first,
            float[] out,
            int o,
            int stride) {
        int perWord = 32 / width;
        IntVector mask = IntVector.broadcast(I, (1 << width) - 1);
        IntVector shift = IntVector.broadcast(I, width);
        FloatVector scale = FloatVector.fromArray(F, work, scales);
        FloatVector zero = FloatVector.fromArray(F, work, zeros);
        int at = o;
        for (int j = 0; j < count; j += perWord, offset += UNIT_BYTES) {
            IntVector codes = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < perWord; i++, at += stride) {
                FloatVector base = first ? zero : FloatVector.fromArray(F, out, at);
                ((FloatVector) codes.and(mask).convert(VectorOperators.I2F, 0))
                        .fma(scale, base)
                        .intoArray(out, at);
                codes = codes.lanewise(VectorOperators.LSHR, shift);
            }
        }
    }
}
