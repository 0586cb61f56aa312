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

/** Quantizes tiles of floats into packed codes; the same bits as {@link ScalarKernels}. */
final class VectorPack {
    /** Adding 1.5 * 2^23 rounds a small float half to even. */
    private static final float ROUNDER = 12582912f;

    private VectorPack() {}

    static void pack(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] in,
            int inOffset,
            int inStride) {
        if (layout.axis() == Axis.PER_DEPTH) {
            for (int j = depthFrom; j < depthTo; j++) {
                for (int lane = laneFrom; lane < laneTo; lane += layout.group()) {
                    packLanes(layout, page, j, lane, in, inOffset + (j - depthFrom) * inStride + lane - laneFrom);
                }
            }
            return;
        }
        for (int j = depthFrom; j < depthTo; j += layout.group()) {
            int row = inOffset + (j - depthFrom) * inStride - laneFrom;
            int lane = laneFrom;
            while (lane < laneTo) {
                if (lane % PackedLayout.UNIT == 0 && lane + PackedLayout.UNIT <= laneTo) {
                    for (int i = 0; i < PackedLayout.UNIT; i += V) {
                        packDepths(layout, page, j, lane + i, in, row + lane + i, inStride);
                    }
                    lane += PackedLayout.UNIT;
                } else {
                    ScalarKernels.packGroup(layout, page, j, lane, in, row + lane, inStride);
                    lane++;
                }
            }
        }
    }

    /** A group along the lanes, at one depth. */
    private static void packLanes(PackedLayout layout, MemorySegment page, int depth, int lane, float[] in, int first) {
        int group = layout.group();
        Quantizer quantizer = layout.quantizer();
        FloatVector minima = FloatVector.fromArray(F, in, first);
        FloatVector maxima = minima;
        for (int i = V; i < group; i += V) {
            FloatVector values = FloatVector.fromArray(F, in, first + i);
            minima = minima.min(values);
            maxima = maxima.max(values);
        }
        float min = minima.reduceLanes(VectorOperators.MIN);
        float max = maxima.reduceLanes(VectorOperators.MAX);
        float extreme = quantizer.hasZero() ? 0 : extreme(in, first, group, min, max);
        float scale = quantizer.scale(min, max, extreme, layout.bits());
        long parameter = depth * 2L;
        page.set(SHORT, layout.scaleOffset(lane / group) + parameter, Element.f16(scale));
        float zero = 0;
        if (quantizer.hasZero()) {
            page.set(SHORT, layout.zeroOffset(lane / group) + parameter, Element.f16(min));
            scale = Element.F16.round(scale);
            zero = Element.F16.round(min);
        } else {
            scale = scale == 0 ? 0 : 1 / scale;
        }
        FloatVector scales = FloatVector.broadcast(F, scale);
        FloatVector zeros = FloatVector.broadcast(F, zero);
        for (int i = 0; i < group; i += V) {
            IntVector codes = codes(quantizer, layout.bits(), FloatVector.fromArray(F, in, first + i), scales, zeros);
            put(layout, page, depth, lane + i, codes);
        }
    }

    /** The value of largest magnitude; of two with opposite signs the first. */
    private static float extreme(float[] in, int first, int group, float min, float max) {
        if (-min != max) {
            return -min > max ? min : max;
        }
        for (int i = 0; i < group; i++) {
            if (Math.abs(in[first + i]) == max) {
                return in[first + i];
            }
        }
        return max;
    }

    /** A vector of groups along the depth. */
    private static void packDepths(
            PackedLayout layout, MemorySegment page, int depth, int lane, float[] in, int first, int stride) {
        int group = layout.group();
        Quantizer quantizer = layout.quantizer();
        FloatVector min = FloatVector.fromArray(F, in, first);
        FloatVector max = min;
        FloatVector extreme = min;
        for (int i = 1; i < group; i++) {
            FloatVector values = FloatVector.fromArray(F, in, first + i * stride);
            min = min.min(values);
            max = max.max(values);
            extreme = extreme.blend(values, values.abs().compare(VectorOperators.GT, extreme.abs()));
        }
        FloatVector scale = switch (quantizer) {
            case MIN_MAX -> max.sub(min).div((1 << layout.bits()) - 1);
            case Q8_0 -> extreme.abs().div(127f);
            case Q4_0 -> extreme.div(-8f);
            case Q5_0 -> extreme.div(-16f);
        };
        long parameter = lane * 2L;
        long scales = layout.scaleOffset(depth / group) + parameter;
        intoF16(scale, page, scales);
        FloatVector zero = FloatVector.zero(F);
        if (quantizer.hasZero()) {
            long zeros = layout.zeroOffset(depth / group) + parameter;
            intoF16(min, page, zeros);
            scale = VectorElements.f16(page, scales);
            zero = VectorElements.f16(page, zeros);
        } else {
            var empty = scale.compare(VectorOperators.EQ, 0f);
            scale = FloatVector.broadcast(F, 1f).div(scale).blend(0f, empty);
        }
        for (int i = 0; i < group; i++) {
            FloatVector values = FloatVector.fromArray(F, in, first + i * stride);
            put(layout, page, depth + i, lane, codes(quantizer, layout.bits(), values, scale, zero));
        }
    }

    private static void intoF16(FloatVector values, MemorySegment page, long offset) {
        for (int i = 0; i < V; i++) {
            page.set(SHORT, offset + 2L * i, Element.f16(values.lane(i)));
        }
    }

    /** As {@link Quantizer#code}, lane by lane. */
    private static IntVector codes(Quantizer quantizer, int bits, FloatVector x, FloatVector scale, FloatVector zero) {
        return switch (quantizer) {
            case MIN_MAX -> {
                var flat = scale.compare(VectorOperators.EQ, 0f);
                FloatVector code = x.sub(zero).div(scale).blend(0f, flat);
                code = code.max(0f).min((1 << bits) - 1).add(ROUNDER);
                yield code.reinterpretAsInts().and(255);
            }
            case Q8_0 -> roundHalfAway(x.mul(scale)).max(-128).min(127).add(128);
            case Q4_0 -> truncate(x.mul(scale).add(8.5f)).max(0).min(15);
            case Q5_0 -> truncate(x.mul(scale).add(16.5f)).max(0).min(31);
        };
    }

    private static IntVector roundHalfAway(FloatVector x) {
        IntVector whole = truncate(x);
        FloatVector rest = x.sub((FloatVector) whole.convert(VectorOperators.I2F, 0));
        IntVector up = whole.add(1);
        IntVector down = whole.sub(1);
        return whole.blend(up, rest.compare(VectorOperators.GE, 0.5f).cast(I))
                .blend(down, rest.compare(VectorOperators.LE, -0.5f).cast(I));
    }

    private static IntVector truncate(FloatVector x) {
        return (IntVector) x.convert(VectorOperators.F2I, 0);
    }

    /** Replaces the codes of one vector of lanes at one depth. */
    private static void put(PackedLayout layout, MemorySegment page, int depth, int lane, IntVector codes) {
        for (int plane = 0; plane < layout.planes(); plane++) {
            int width = layout.planeBits(plane);
            int mask = (1 << width) - 1;
            int perWord = 32 / width;
            int shift = depth % perWord * width;
            long offset =
                    layout.wordOffset(plane, lane / PackedLayout.UNIT, depth / perWord) + lane % PackedLayout.UNIT * 4L;
            IntVector field = codes.lanewise(VectorOperators.LSHR, layout.planeShift(plane))
                    .and(mask);
            IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN)
                    .and(~(mask << shift))
                    .or(field.lanewise(VectorOperators.LSHL, shift))
                    .intoMemorySegment(page, offset, ByteOrder.LITTLE_ENDIAN);
        }
    }
}
