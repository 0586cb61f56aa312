package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.S;
import static dev.kvasir.cache.kernel.Species.V;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The product of one row with packed codes, no element of which is ever dequantized.
 *
 * <p>With scale s, level u and zero z, {@code sum x (s u + z) = sum (x s) u + sum x z}. Where the scale belongs to the depth
 * (PER_DEPTH), the weights {@code x s} and the second sum are made once for a group of lanes. Where it belongs to the lane
 * (PER_LANE), {@code sum x u} is made for a group of depths and scaled lane by lane. Where there are no scales, one pass does
 * it all. The codes themselves are read by {@link VectorPlanes}, {@link VectorPairs},
 * {@link VectorLevels} and {@link VectorTrits}.
 *
 * <p>Codes are read by whole words: depths of the border words that nobody asked for get weight 0.
 *
 * <pre>
 *   work = weights of a range, whole words | its zeros | sums of the lanes | their scales | their zeros | tables, or scales of all groups and then tables
 * </pre>
 */
final class VectorRead {
    private VectorRead() {}

    /** {@link #accumulate} for several rows: as many together as {@link VectorRows} serves, the others one by one. */
    static void accumulateRows(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] x,
            int xOffset,
            int xStride,
            int rows,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        boolean cut = layout.axis() == Axis.PER_DEPTH && layout.quantizer().parameterBytes() > 0;
        int pair = 2 * PackedLayout.UNIT;
        for (int r = 0; r < rows; r += VectorRows.ROWS) {
            int some = Math.min(VectorRows.ROWS, rows - r);
            int from = xOffset + r * xStride;
            int lane = laneFrom;
            while (lane < laneTo) {
                int end = cut ? Math.min(laneTo, (lane / layout.group() + 1) * layout.group()) : laneTo;
                int paired = VectorRows.serves(layout, some) ? lane + (end - lane) / pair * pair : lane;
                int o = outOffset + r * outStride + lane - laneFrom;
                if (paired > lane) {
                    VectorRows.accumulate(
                            layout, page, lane, paired, depthFrom, depthTo, x, from, xStride, some, out, o, outStride,
                            work);
                }
                for (int i = 0; paired < end && i < some; i++) {
                    int at = o + paired - lane + i * outStride;
                    int xAt = from + i * xStride;
                    accumulate(layout, page, paired, end, depthFrom, depthTo, x, xAt, out, at, work);
                }
                lane = end;
            }
        }
    }

    /** Depths of the largest range of whole words. */
    static int padded(PackedLayout layout) {
        return layout.depth() + 2 * 32;
    }

    private static int sums(PackedLayout layout) {
        return 2 * padded(layout);
    }

    static int tables(PackedLayout layout) {
        return sums(layout) + 3 * layout.lanes();
    }

    /** Numbers of {@code work}. */
    static int workSize(PackedLayout layout) {
        int groups = layout.axis() == Axis.PER_DEPTH ? 0 : layout.depth() / layout.group();
        int ofOne = tables(layout) + (groups + 1) * layout.lanes() + 16 * padded(layout);
        return Math.max(ofOne, VectorRows.workSize(layout));
    }

    static void accumulate(
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
        if (layout.quantizer().parameterBytes() == 0) {
            int lead = depthFrom % layout.wordDepths();
            float total = copy(x, xOffset, depthTo - depthFrom, work, lead);
            total *= -layout.quantizer().offset();
            addCodes(layout, page, laneFrom, laneTo, depthFrom, depthTo, work, out, outOffset, total);
        } else if (pairedGroups(layout, laneFrom, laneTo, depthFrom, depthTo)) {
            perGroup(layout, page, laneFrom, laneTo, depthFrom, depthTo - depthFrom, x, xOffset, out, outOffset, work);
        } else if (layout.axis() == Axis.PER_DEPTH) {
            perDepth(layout, page, laneFrom, laneTo, depthFrom, depthTo, x, xOffset, out, outOffset, work);
        } else if (VectorPairs.serves(layout)
                && layout.group() % layout.wordDepths() == 0
                && depthFrom % layout.group() == 0
                && depthTo % layout.group() == 0) {
            int pair = 2 * PackedLayout.UNIT;
            int paired = laneFrom + (laneTo - laneFrom) / pair * pair;
            wholeGroups(layout, page, laneFrom, paired, depthFrom, depthTo, x, xOffset, out, outOffset, work);
            if (paired < laneTo) {
                int o = outOffset + paired - laneFrom;
                perLane(layout, page, paired, laneTo, depthFrom, depthTo, x, xOffset, out, o, work);
            }
        } else {
            perLane(layout, page, laneFrom, laneTo, depthFrom, depthTo, x, xOffset, out, outOffset, work);
        }
    }

    /** Whether {@link #perGroup} serves: codes of 2 bits, whole groups of two units, whole words. */
    private static boolean pairedGroups(PackedLayout layout, int laneFrom, int laneTo, int depthFrom, int depthTo) {
        int group = 2 * PackedLayout.UNIT;
        return layout.axis() == Axis.PER_DEPTH
                && layout.bits() == 2
                && !layout.quantizer().isCodebook()
                && layout.group() == group
                && laneFrom % group == 0
                && laneTo % group == 0
                && depthFrom % PackedLayout.UNIT == 0
                && VectorWeigh.serves(layout.quantizer(), depthTo - depthFrom);
    }

    /** {@link #perDepth} with the parameters of two groups at a time. */
    private static void perGroup(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depth,
            int count,
            float[] x,
            int xOffset,
            float[] out,
            int outOffset,
            float[] work) {
        Quantizer quantizer = layout.quantizer();
        boolean hasZero = quantizer.zeroFormat() == ZeroFormat.F16;
        int second = padded(layout);
        int words = count / PackedLayout.UNIT;
        long unitBytes = layout.unitBytes(0);
        long offset = layout.wordAt(0, depth, laneFrom);
        for (int lane = laneFrom; lane < laneTo; lane += 2 * layout.group()) {
            int parameter = layout.parameterIndex(depth, lane);
            long scales = layout.scaleOffset(parameter);
            boolean two = lane + layout.group() < laneTo;
            VectorWeigh.groups2(
                    page,
                    scales,
                    hasZero ? layout.zeroOffset(parameter) : scales,
                    two ? 2L * layout.depth() : 0,
                    hasZero ? 0 : -quantizer.offset(),
                    hasZero ? 1 : 0,
                    count,
                    x,
                    xOffset,
                    work,
                    0,
                    second);
            int o = outOffset + lane - laneFrom;
            VectorPlanes.pairs(page, offset, unitBytes, words, work, 0, work[count], out, o);
            offset += 2 * unitBytes;
            if (two) {
                float constant = work[second + count];
                VectorPlanes.pairs(page, offset, unitBytes, words, work, second, constant, out, o + layout.group());
                offset += 2 * unitBytes;
            }
        }
    }

    private static void perDepth(
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
        int count = depthTo - depthFrom;
        int lead = depthFrom % layout.wordDepths();
        Quantizer quantizer = layout.quantizer();
        boolean halves = quantizer.step() == 1
                && quantizer.scaleFormat() == ScaleFormat.F16
                && !quantizer.zeroFormat().isCode();
        int lane = laneFrom;
        while (lane < laneTo) {
            int groupEnd = Math.min(laneTo, (lane / layout.group() + 1) * layout.group());
            int parameter = layout.parameterIndex(depthFrom, lane);
            float constant;
            if (halves && count % V == 0) {
                boolean hasZero = quantizer.zeroFormat() == ZeroFormat.F16;
                long scales = layout.scaleOffset(parameter);
                long zeros = hasZero ? layout.zeroOffset(parameter) : scales;
                constant = weighHalves(page, scales, zeros, count, x, xOffset, work, lead);
                constant *= hasZero ? 1 : -quantizer.offset();
            } else {
                VectorParameters.decode(layout, page, parameter, count, work, lead);
                constant = weigh(count, x, xOffset, work, lead, lead + count, work, lead);
            }
            int o = outOffset + lane - laneFrom;
            addCodes(layout, page, lane, groupEnd, depthFrom, depthTo, work, out, o, constant);
            lane = groupEnd;
        }
    }

    private static void perLane(
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
        int sums = sums(layout);
        boolean hasZero = layout.quantizer().zeroFormat() != ZeroFormat.NONE;
        int depth = depthFrom;
        while (depth < depthTo) {
            int groupEnd = Math.min(depthTo, (depth / layout.group() + 1) * layout.group());
            float total = copy(x, xOffset + depth - depthFrom, groupEnd - depth, work, depth % layout.wordDepths());
            Arrays.fill(work, sums, sums + lanes, 0f);
            float constant = hasZero ? 0 : -layout.quantizer().offset() * total;
            addCodes(layout, page, laneFrom, laneTo, depth, groupEnd, work, work, sums, constant);
            int parameter = layout.parameterIndex(depth, laneFrom);
            VectorParameters.decodeStored(layout, page, parameter, lanes, work, sums + lanes);
            for (int i = 0; i < lanes; i += V) {
                FloatVector.fromArray(F, work, sums + i)
                        .fma(
                                FloatVector.fromArray(F, work, sums + lanes + i),
                                FloatVector.fromArray(F, out, outOffset + i))
                        .intoArray(out, outOffset + i);
            }
            for (int i = 0; hasZero && i < lanes; i += V) {
                FloatVector.fromArray(F, work, sums + 2 * lanes + i)
                        .fma(FloatVector.broadcast(F, total), FloatVector.fromArray(F, out, outOffset + i))
                        .intoArray(out, outOffset + i);
            }
            depth = groupEnd;
        }
    }

    /** {@link #perLane} in one pass over pairs of units. */
    private static void wholeGroups(
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
        int groups = (depthTo - depthFrom) / group;
        int constants = padded(layout);
        int scales = tables(layout);
        boolean hasZero = layout.quantizer().zeroFormat() != ZeroFormat.NONE;
        for (int g = 0; g < groups; g++) {
            float total = copy(x, xOffset + g * group, group, work, g * group);
            work[constants + g] = hasZero ? 0 : -layout.quantizer().offset() * total;
            int at = scales + g * lanes;
            int parameter = layout.parameterIndex(depthFrom + g * group, laneFrom);
            VectorParameters.decodeStored(layout, page, parameter, lanes, work, at);
            if (hasZero) {
                VectorRows.add(work, at + lanes, lanes, total, out, outOffset);
            }
        }
        int words = group / layout.perWord(0);
        int after = scales + (groups + 1) * lanes;
        VectorPairs.add(
                layout, page, laneFrom, laneTo, depthFrom, words, groups, work, constants, scales, after, out,
                outOffset);
    }

    /** Copies {@code count} weights and returns their sum. */
    static float copy(float[] x, int xOffset, int count, float[] work, int at) {
        FloatVector sums = FloatVector.zero(F);
        int i = 0;
        for (; i <= count - V; i += V) {
            FloatVector xi = FloatVector.fromArray(F, x, xOffset + i);
            xi.intoArray(work, at + i);
            sums = sums.add(xi);
        }
        float total = Species.sum(sums);
        for (; i < count; i++) {
            work[at + i] = x[xOffset + i];
            total += x[xOffset + i];
        }
        return total;
    }

    /**
     * {@code out[l] += constant + sum over j of weights[j] * level[code[j][l]]} for depths from {@code from} to {@code to}, whose
     * weights lie where their word has them; destroys the weights.
     */
    private static void addCodes(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int from,
            int to,
            float[] weights,
            float[] out,
            int outOffset,
            float constant) {
        int whole = layout.wordDepths();
        int first = from / whole * whole;
        int depths = Math.ceilDiv(to, whole) * whole - first;
        Arrays.fill(weights, 0, from - first, 0f);
        Arrays.fill(weights, to - first, depths, 0f);
        int units = (laneTo - laneFrom) / PackedLayout.UNIT;
        int tables = tables(layout);
        Quantizer quantizer = layout.quantizer();
        int paired = VectorPairs.serves(layout) ? units / 2 * 2 * PackedLayout.UNIT : 0;
        if (paired > 0) {
            int constants = tables(layout);
            weights[constants] = constant;
            int words = words(layout, 0, first, depths);
            int end = laneFrom + paired;
            int after = constants + V;
            VectorPairs.add(
                    layout, page, laneFrom, end, first, words, 1, weights, constants, -1, after, out, outOffset);
            laneFrom += paired;
            outOffset += paired;
            units -= paired / PackedLayout.UNIT;
        }
        if (quantizer.isCodebook() && layout.bits() == 3) {
            long low = layout.wordAt(0, first, laneFrom);
            long high = layout.wordAt(1, first, laneFrom);
            int words = words(layout, 0, first, depths);
            for (int i = 0; i < units * PackedLayout.UNIT; i += V) {
                long unit = i / PackedLayout.UNIT;
                long within = i % PackedLayout.UNIT * 4L;
                VectorLevels.add3(
                        page,
                        low + unit * layout.unitBytes(0) + within,
                        high + unit * layout.unitBytes(1) + within,
                        words,
                        weights,
                        quantizer.levels(),
                        out,
                        outOffset + i,
                        constant);
            }
            return;
        }
        for (int plane = 0; plane < layout.planes(); plane++) {
            if (plane > 0) {
                VectorSoftmax.scale(weights, 0, depths, 1 << layout.planeShift(plane));
            }
            long offset = layout.wordAt(plane, first, laneFrom);
            long unitBytes = layout.unitBytes(plane);
            int words = words(layout, plane, first, depths);
            float c = plane == 0 ? constant : 0;
            if (layout.bits() == PackedLayout.TRITS) {
                VectorTrits.add(page, offset, unitBytes, units, words, weights, tables, out, outOffset, c);
            } else {
                int width = layout.planeBits(plane);
                VectorPlanes.add(
                        width, quantizer, page, offset, unitBytes, units, words, weights, tables, out, outOffset, c);
            }
        }
    }

    /** Word rows of a plane that hold a range of depths; the last rows of a plane may end before those of another. */
    static int words(PackedLayout layout, int plane, int first, int depths) {
        int end = Math.min(first + depths, layout.depth());
        return Math.ceilDiv(end, layout.perWord(plane)) - first / layout.perWord(plane);
    }

    /** {@code out[to + i] = x[i] * work[scales + i]}; returns the sum of x times zeros. */
    static float weigh(int count, float[] x, int xOffset, float[] work, int scales, int zeros, float[] out, int to) {
        FloatVector sums = FloatVector.zero(F);
        int i = 0;
        for (; i <= count - V; i += V) {
            FloatVector xi = FloatVector.fromArray(F, x, xOffset + i);
            FloatVector.fromArray(F, work, scales + i).mul(xi).intoArray(out, to + i);
            sums = FloatVector.fromArray(F, work, zeros + i).fma(xi, sums);
        }
        float sum = Species.sum(sums);
        for (; i < count; i++) {
            out[to + i] = work[scales + i] * x[xOffset + i];
            sum += work[zeros + i] * x[xOffset + i];
        }
        return sum;
    }

    /**
     * {@code work[at + i] = x[i] * scales[i]}; returns the sum of {@code x[i] * zeros[i]}. The conversion from F16 is that of
     * {@link VectorParameters#f16}, written out: see {@link VectorKernels} for why.
     */
    private static float weighHalves(
            MemorySegment page, long scales, long zeros, int count, float[] x, int xOffset, float[] work, int at) {
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
            scale.mul(xi).intoArray(work, at + i);
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
