package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.SHORT;
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
            int outStride) {
        for (int lane = laneFrom; lane < laneTo; lane += V) {
            int o = outOffset + lane - laneFrom;
            if (layout.axis() == Axis.PER_DEPTH) {
                for (int depth = depthFrom; depth < depthTo; depth += 32) {
                    int end = Math.min(depth + 32, depthTo);
                    codes(layout, page, lane, depth, end, out, o + (depth - depthFrom) * outStride, outStride);
                    scaleByDepth(layout, page, lane, depth, end, out, o + (depth - depthFrom) * outStride, outStride);
                }
            } else {
                for (int depth = depthFrom; depth < depthTo; depth += layout.group()) {
                    int end = depth + layout.group();
                    codes(layout, page, lane, depth, end, out, o + (depth - depthFrom) * outStride, outStride);
                    scaleByLane(layout, page, lane, depth, end, out, o + (depth - depthFrom) * outStride, outStride);
                }
            }
        }
    }

    /** Writes the codes of one vector of lanes as floats. */
    private static void codes(
            PackedLayout layout, MemorySegment page, int lane, int from, int to, float[] out, int o, int stride) {
        for (int plane = 0; plane < layout.planes(); plane++) {
            int width = layout.planeBits(plane);
            int perWord = 32 / width;
            float unit = 1 << layout.planeShift(plane);
            long offset =
                    layout.wordOffset(plane, lane / PackedLayout.UNIT, from / perWord) + lane % PackedLayout.UNIT * 4L;
            int at = o;
            for (int depth = from; depth < to; depth += perWord, offset += PackedLayout.UNIT * 4L) {
                IntVector word = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN);
                at = switch (width) {
                    case 2 -> fields2(word, plane > 0, unit, out, at, stride);
                    case 4 -> fields4(word, plane > 0, unit, out, at, stride);
                    default -> fields(word, width, plane > 0, unit, out, at, stride);
                };
            }
        }
    }

    private static int fields2(IntVector word, boolean add, float unit, float[] out, int at, int stride) {
        int a = at;
        for (int shift = 0; shift < 32; shift += 2, a += stride) {
            put(word.lanewise(VectorOperators.LSHR, shift).and(3), add, unit, out, a);
        }
        return a;
    }

    private static int fields4(IntVector word, boolean add, float unit, float[] out, int at, int stride) {
        int a = at;
        for (int shift = 0; shift < 32; shift += 4, a += stride) {
            put(word.lanewise(VectorOperators.LSHR, shift).and(15), add, unit, out, a);
        }
        return a;
    }

    private static int fields(IntVector word, int width, boolean add, float unit, float[] out, int at, int stride) {
        int mask = (1 << width) - 1;
        int a = at;
        for (int shift = 0; shift < 32; shift += width, a += stride) {
            put(word.lanewise(VectorOperators.LSHR, shift).and(mask), add, unit, out, a);
        }
        return a;
    }

    private static void put(IntVector field, boolean add, float unit, float[] out, int at) {
        FloatVector value = (FloatVector) field.convert(VectorOperators.I2F, 0);
        if (add) {
            value = value.fma(FloatVector.broadcast(F, unit), FloatVector.fromArray(F, out, at));
        }
        value.intoArray(out, at);
    }

    private static void scaleByDepth(
            PackedLayout layout, MemorySegment page, int lane, int from, int to, float[] out, int o, int stride) {
        int group = lane / layout.group();
        boolean hasZero = layout.quantizer().hasZero();
        long scales = layout.scaleOffset(group);
        long zeros = hasZero ? layout.zeroOffset(group) : 0;
        int at = o;
        for (int depth = from; depth < to; depth++, at += stride) {
            float scale = Float.float16ToFloat(page.get(SHORT, scales + depth * 2L));
            float zero = hasZero
                    ? Float.float16ToFloat(page.get(SHORT, zeros + depth * 2L))
                    : -layout.quantizer().offset() * scale;
            FloatVector.fromArray(F, out, at)
                    .fma(FloatVector.broadcast(F, scale), FloatVector.broadcast(F, zero))
                    .intoArray(out, at);
        }
    }

    private static void scaleByLane(
            PackedLayout layout, MemorySegment page, int lane, int from, int to, float[] out, int o, int stride) {
        int group = from / layout.group();
        FloatVector scale = VectorElements.f16(page, layout.scaleOffset(group) + lane * 2L);
        FloatVector zero = layout.quantizer().hasZero()
                ? VectorElements.f16(page, layout.zeroOffset(group) + lane * 2L)
                : scale.mul(-layout.quantizer().offset());
        int at = o;
        for (int depth = from; depth < to; depth++, at += stride) {
            FloatVector.fromArray(F, out, at).fma(scale, zero).intoArray(out, at);
        }
    }
}
