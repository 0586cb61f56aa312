package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.UNIT;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Quantizes tiles of floats into packed codes; the same bits as {@link ScalarKernels}.
 *
 * <p>For each run of lanes {@code work} first gets the encoding scales and zeros of every lane, see {@link VectorCodes}; then
 * every depth they serve is encoded. Behind the codes is room for one {@link GroupFit} and for extremes.
 */
final class VectorPack {
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
        int lanes = laneTo - laneFrom;
        int group = layout.group();
        if (layout.axis() == Axis.PER_DEPTH) {
            for (int j = depthFrom; j < depthTo; j++) {
                int row = inOffset + (j - depthFrom) * inStride;
                for (int lane = 0; lane < lanes; lane += group) {
                    fitLanes(layout, page, j, laneFrom + lane, lanes, in, row + lane, work, lane);
                }
                encode(layout, page, j, laneFrom, lanes, in, row, work);
            }
            return;
        }
        for (int j = depthFrom; j < depthTo; j += group) {
            int row = inOffset + (j - depthFrom) * inStride;
            if (GroupFit.byRange(layout.quantizer().rule()) && lanes >= UNIT) {
                fitRanges(layout, page, j, laneFrom, lanes, in, row, inStride, work);
            } else {
                fitDepths(layout, page, j, laneFrom, lanes, in, row, inStride, work);
            }
            for (int i = 0; i < group; i++) {
                encode(layout, page, j + i, laneFrom, lanes, in, row + i * inStride, work);
            }
        }
    }

    static void packGiven(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] in,
            int inOffset,
            int inStride,
            float[] scales,
            float[] zeros,
            int parameterOffset,
            float[] work) {
        int lanes = laneTo - laneFrom;
        int p = parameterOffset;
        if (layout.axis() == Axis.PER_DEPTH) {
            int depths = depthTo - depthFrom;
            for (int j = 0; j < depths; j++) {
                for (int lane = laneFrom, g = 0; lane < laneTo; g++) {
                    int end = Math.min(laneTo, (lane / layout.group() + 1) * layout.group());
                    int at = p + g * depths + j;
                    give(layout, page, depthFrom + j, lane, scales[at], zero(zeros, at), work, 4 * lanes);
                    Arrays.fill(work, lane - laneFrom, end - laneFrom, work[4 * lanes + GroupFit.BY]);
                    Arrays.fill(work, lanes + lane - laneFrom, lanes + end - laneFrom, work[4 * lanes + GroupFit.FROM]);
                    lane = end;
                }
                encode(layout, page, depthFrom + j, laneFrom, lanes, in, inOffset + j * inStride, work);
            }
            return;
        }
        for (int j = depthFrom; j < depthTo; p += lanes) {
            int end = Math.min(depthTo, (j / layout.group() + 1) * layout.group());
            for (int i = 0; i < lanes; i++) {
                give(layout, page, j, laneFrom + i, scales[p + i], zero(zeros, p + i), work, 4 * lanes);
                work[i] = work[4 * lanes + GroupFit.BY];
                work[lanes + i] = work[4 * lanes + GroupFit.FROM];
            }
            for (; j < end; j++) {
                encode(layout, page, j, laneFrom, lanes, in, inOffset + (j - depthFrom) * inStride, work);
            }
        }
    }

    /** The zero at an index; 0 if there are none. */
    static float zero(float[] zeros, int index) {
        return zeros.length == 0 ? 0 : zeros[index];
    }

    private static void give(
            PackedLayout layout,
            MemorySegment page,
            int depth,
            int lane,
            float scale,
            float zero,
            float[] work,
            int fit) {
        GroupFit.given(layout.quantizer(), scale, zero, work, fit);
        layout.setParameters(page, depth, lane, work[fit + GroupFit.SCALE], work[fit + GroupFit.ZERO]);
    }

    /** Fits a group along the lanes, at one depth, and spreads its scale and zero over the group's lanes of {@code work}. */
    private static void fitLanes(
            PackedLayout layout,
            MemorySegment page,
            int depth,
            int lane,
            int lanes,
            float[] in,
            int first,
            float[] work,
            int to) {
        int group = layout.group();
        int fit = 4 * lanes;
        Quantizer quantizer = layout.quantizer();
        if (GroupFit.byRange(quantizer.rule())) {
            float min = VectorSoftmax.min(in, first, group);
            float max = VectorSoftmax.max(in, first, group);
            boolean noZero = quantizer.zeroFormat() == ZeroFormat.NONE;
            float extreme = noZero ? extreme(in, first, group, min, max) : 0;
            GroupFit.fit(quantizer, layout.most(), min, max, extreme, work, fit);
        } else {
            GroupFit.fit(quantizer, layout.most(), in, first, 1, group, work, fit);
        }
        layout.setParameters(page, depth, lane, work[fit + GroupFit.SCALE], work[fit + GroupFit.ZERO]);
        Arrays.fill(work, to, to + group, work[fit + GroupFit.BY]);
        Arrays.fill(work, lanes + to, lanes + to + group, work[fit + GroupFit.FROM]);
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

    /** Fits a run of groups along the depth, side by side, one after another. */
    private static void fitDepths(
            PackedLayout layout,
            MemorySegment page,
            int depth,
            int lane,
            int lanes,
            float[] in,
            int first,
            int stride,
            float[] work) {
        int fit = 4 * lanes;
        for (int i = 0; i < lanes; i++) {
            GroupFit.fit(layout.quantizer(), layout.most(), in, first + i, stride, layout.group(), work, fit);
            layout.setParameters(page, depth, lane + i, work[fit + GroupFit.SCALE], work[fit + GroupFit.ZERO]);
            work[i] = work[fit + GroupFit.BY];
            work[lanes + i] = work[fit + GroupFit.FROM];
        }
    }

    /** As {@link #fitDepths} by ranges, which are found for all lanes at once. */
    private static void fitRanges(
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
        System.arraycopy(in, first, work, 0, lanes);
        System.arraycopy(in, first, work, max, lanes);
        System.arraycopy(in, first, work, extreme, lanes);
        for (int row = 1; row < layout.group(); row++) {
            for (int i = 0; i < lanes; i++) {
                float value = in[first + row * stride + i];
                work[i] = Math.min(work[i], value);
                work[max + i] = Math.max(work[max + i], value);
            }
        }
        if (layout.quantizer().zeroFormat() == ZeroFormat.NONE) {
            for (int row = 1; row < layout.group(); row++) {
                for (int i = 0; i < lanes; i++) {
                    float value = in[first + row * stride + i];
                    work[extreme + i] = Math.abs(value) > Math.abs(work[extreme + i]) ? value : work[extreme + i];
                }
            }
        }
        int fit = 4 * lanes;
        for (int i = 0; i < lanes; i++) {
            GroupFit.fit(layout.quantizer(), layout.most(), work[i], work[max + i], work[extreme + i], work, fit);
            layout.setParameters(page, depth, lane + i, work[fit + GroupFit.SCALE], work[fit + GroupFit.ZERO]);
            work[i] = work[fit + GroupFit.BY];
            work[max + i] = work[fit + GroupFit.FROM];
        }
    }

    /** Replaces the codes of one depth of a run of lanes: whole units by vectors, what is left of either end one by one. */
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
        if (lane % UNIT == 0 && lanes % UNIT == 0) {
            VectorCodes.make(quantizer, layout.most(), in, row, lanes, work);
            VectorCodes.store(layout, page, depth, lane, lanes, work);
            return;
        }
        for (int i = 0; i < lanes; i++) {
            int code = quantizer.code(in[row + i], work[i], work[lanes + i], layout.most());
            layout.setCode(page, depth, lane + i, code);
        }
    }
}
