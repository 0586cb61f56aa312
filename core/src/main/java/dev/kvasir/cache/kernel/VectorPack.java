package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.SHORT;
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

/** Quantizes tiles of floats into packed codes; the same bits as {@link ScalarKernels}. */
final class VectorPack {
    /** Adding 1.5 * 2^23 rounds a small float half to even. */
    private static final float ROUNDER = 12582912f;

    private static final float BELOW_HALF = 0.49999997f;

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
            int inStride,
            float[] work) {
        if (layout.axis() == Axis.PER_DEPTH) {
            for (int j = depthFrom; j < depthTo; j++) {
                int row = inOffset + (j - depthFrom) * inStride;
                int lanes = laneTo - laneFrom;
                for (int lane = 0; lane < lanes; lane += layout.group()) {
                    measure(layout, page, j, laneFrom + lane, in, row + lane, work, lane, lanes + lane);
                }
                encode(layout, page, j, laneFrom, lanes, in, row, work);
            }
            return;
        }
        for (int j = depthFrom; j < depthTo; j += layout.group()) {
            int row = inOffset + (j - depthFrom) * inStride - laneFrom;
            int lane = laneFrom;
            while (lane < laneTo) {
                int units = lane % PackedLayout.UNIT == 0 ? (laneTo - lane) / PackedLayout.UNIT : 0;
                if (units > 0) {
                    packDepths(layout, page, j, lane, units * PackedLayout.UNIT, in, row + lane, inStride, work);
                    lane += units * PackedLayout.UNIT;
                } else {
                    ScalarKernels.packGroup(layout, page, j, lane, in, row + lane, inStride);
                    lane++;
                }
            }
        }
    }

    /** Makes the scale and zero of a group along the lanes, at one depth, and spreads them over the group's lanes of {@code work}. */
    private static void measure(
            PackedLayout layout,
            MemorySegment page,
            int depth,
            int lane,
            float[] in,
            int first,
            float[] work,
            int scales,
            int zeros) {
        int group = layout.group();
        Quantizer quantizer = layout.quantizer();
        float min = VectorSoftmax.min(in, first, group);
        float max = VectorSoftmax.max(in, first, group);
        float extreme = quantizer.hasZero() ? 0 : extreme(in, first, group, min, max);
        float scale = quantizer.scale(min, max, extreme, layout.bits());
        page.set(SHORT, layout.scaleOffset(lane / group) + depth * 2L, Element.f16(scale));
        if (quantizer.hasZero()) {
            page.set(SHORT, layout.zeroOffset(lane / group) + depth * 2L, Element.f16(min));
            Arrays.fill(work, scales, scales + group, Element.F16.round(scale));
            Arrays.fill(work, zeros, zeros + group, Element.F16.round(min));
        } else {
            Arrays.fill(work, scales, scales + group, scale == 0 ? 0 : 1 / scale);
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

    /** A run of {@code lanes} groups along the depth, side by side. */
    private static void packDepths(
            PackedLayout layout,
            MemorySegment page,
            int depth,
            int lane,
            int lanes,
            float[] in,
            int first,
            int stride,
            float[] work) {
        int max = lanes;
        int extreme = 2 * lanes;
        for (int i = 0; i < lanes; i++) {
            work[i] = in[first + i];
            work[max + i] = in[first + i];
            work[extreme + i] = in[first + i];
        }
        for (int row = 1; row < layout.group(); row++) {
            for (int i = 0; i < lanes; i++) {
                float value = in[first + row * stride + i];
                work[i] = Math.min(work[i], value);
                work[max + i] = Math.max(work[max + i], value);
            }
        }
        Quantizer quantizer = layout.quantizer();
        if (!quantizer.hasZero()) {
            for (int row = 1; row < layout.group(); row++) {
                for (int i = 0; i < lanes; i++) {
                    float value = in[first + row * stride + i];
                    work[extreme + i] = Math.abs(value) > Math.abs(work[extreme + i]) ? value : work[extreme + i];
                }
            }
        }
        long scales = layout.scaleOffset(depth / layout.group()) + lane * 2L;
        for (int i = 0; i < lanes; i++) {
            float scale = quantizer.scale(work[i], work[max + i], work[extreme + i], layout.bits());
            page.set(SHORT, scales + 2L * i, Element.f16(scale));
            if (quantizer.hasZero()) {
                page.set(SHORT, layout.zeroOffset(depth / layout.group()) + lane * 2L + 2L * i, Element.f16(work[i]));
                work[max + i] = Element.F16.round(work[i]);
                work[i] = Element.F16.round(scale);
            } else {
                work[i] = scale == 0 ? 0 : 1 / scale;
            }
        }
        for (int row = 0; row < layout.group(); row++) {
            encode(layout, page, depth + row, lane, lanes, in, first + row * stride, work);
        }
    }

    /**
     * Replaces the codes of one depth of a run of lanes, whose scales (for block types their inverses) and zeros are in
     * {@code work}; as {@link Quantizer#code}, lane by lane.
     *
     * <p>Block types truncate x / scale plus a half. Where ggml rounds ties away from zero (q8_0) the half is the float below
     * it, so that the number below a half does not become 1.
     */
    private static void encode(
            PackedLayout layout,
            MemorySegment page,
            int depth,
            int lane,
            int lanes,
            float[] in,
            int row,
            float[] work) {
        Quantizer quantizer = layout.quantizer();
        int most = (1 << layout.bits()) - 1;
        for (int i = 0; i < lanes; i += V) {
            FloatVector values = FloatVector.fromArray(F, in, row + i);
            FloatVector scale = FloatVector.fromArray(F, work, i);
            IntVector codes;
            if (quantizer.hasZero()) {
                codes = values.sub(FloatVector.fromArray(F, work, lanes + i))
                        .div(scale)
                        .blend(0f, scale.compare(VectorOperators.EQ, 0f))
                        .max(0f)
                        .min(most)
                        .add(ROUNDER)
                        .reinterpretAsInts()
                        .and(255);
            } else {
                FloatVector scaled = values.mul(scale);
                boolean tiesAway = quantizer == Quantizer.Q8_0;
                FloatVector half = FloatVector.broadcast(F, tiesAway ? BELOW_HALF : quantizer.offset() + 0.5f);
                if (tiesAway) {
                    half = half.blend(-BELOW_HALF, scaled.compare(VectorOperators.LT, 0f));
                }
                codes = ((IntVector) scaled.add(half).convert(VectorOperators.F2I, 0))
                        .add(tiesAway ? quantizer.offset() : 0)
                        .max(0)
                        .min(most);
            }
            for (int plane = 0; plane < layout.planes(); plane++) {
                int width = layout.planeBits(plane);
                int mask = (1 << width) - 1;
                int perWord = 32 / width;
                int shift = depth % perWord * width;
                long offset = layout.wordOffset(plane, (lane + i) / PackedLayout.UNIT, depth / perWord)
                        + (lane + i) % PackedLayout.UNIT * 4L;
                IntVector field = codes.lanewise(VectorOperators.LSHR, layout.planeShift(plane))
                        .and(mask)
                        .lanewise(VectorOperators.LSHL, shift);
                IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN)
                        .and(~(mask << shift))
                        .or(field)
                        .intoMemorySegment(page, offset, ByteOrder.LITTLE_ENDIAN);
            }
        }
    }
}
