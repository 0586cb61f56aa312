package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.UNIT;
import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.V;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * The product of up to four rows with packed codes on vectors of 16 lanes: each word is loaded and shifted once, each code
 * becomes its level once, which is multiplied with the weight of every row ({@link VectorRowCodes}). The sums are those of
 * {@link VectorRead}. A row fewer is the last one twice: the same number is written to the same place.
 *
 * <pre>
 *   work = scales of a range | its zeros | ... | weights of four rows, whole words | sums of four rows | scales, zeros of a group | ...
 * </pre>
 */
final class VectorRows {
    static final int ROWS = 4;
    /** Depths of a group up to which it costs less to scale every level than sums of the group. */
    private static final int SMALL_GROUP = 64;

    private VectorRows() {}

    /** Whether so many rows cost less together than one by one. */
    static boolean serves(PackedLayout layout, int rows) {
        if (V != 16 || layout.bits() == PackedLayout.TRITS) {
            return false;
        }
        boolean dear =
                layout.bits() == 4 || (layout.bits() == 3 && layout.quantizer().isCodebook());
        return rows >= (dear ? 2 : 3);
    }

    /**
     * The most rows to read from the codes: a codebook's are unpacked at the cost of two or three passes over them, linear ones
     * at that of one.
     */
    static int rows(PackedLayout layout) {
        if (!serves(layout, ROWS)) {
            return 3;
        }
        return layout.quantizer().isCodebook() ? 3 * ROWS : ROWS;
    }

    /** For lanes that are pairs of units, within one group if PER_DEPTH; up to {@link #ROWS} rows. */
    static void accumulate(
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
        if (layout.axis() == Axis.PER_DEPTH || layout.quantizer().parameterBytes() == 0) {
            int count = depthTo - depthFrom;
            if (layout.quantizer().parameterBytes() > 0 && VectorWeigh.serves(layout.quantizer(), count)) {
                boolean masked = masked(layout, depthFrom);
                weigh(layout, page, laneFrom, depthFrom, count, masked, x, xOffset, xStride, rows, work);
                int sums = weights(layout, ROWS);
                if (masked) {
                    addMasked(layout, page, laneFrom, laneTo, depthFrom, count, rows, work, out, outOffset, outStride);
                    return;
                }
                for (int r = 0; r < rows; r++) {
                    add(work[sums + VectorWeigh.sumOf(r)], laneTo - laneFrom, out, outOffset + r * outStride);
                }
            } else {
                VectorParameters.decode(layout, page, layout.parameterIndex(depthFrom, laneFrom), count, work, 0);
                int lead = depthFrom % layout.wordDepths();
                for (int r = 0; r < rows; r++) {
                    int weights = weights(layout, r) + lead;
                    int from = xOffset + r * xStride;
                    float constant = count % V == 0
                            ? VectorRead.weigh(count, x, from, work, 0, count, work, weights)
                            : weighFew(count, x, from, work, weights);
                    add(constant, laneTo - laneFrom, out, outOffset + r * outStride);
                }
            }
            addCodes(layout, page, laneFrom, laneTo, depthFrom, depthTo, 0, rows, work, out, outOffset, outStride);
            return;
        }
        if (layout.group() <= SMALL_GROUP
                && layout.group() % layout.wordDepths() == 0
                && depthFrom % layout.group() == 0
                && depthTo % layout.group() == 0) {
            int parameters = parameters(layout);
            int lanes = laneTo - laneFrom;
            for (int depth = depthFrom; depth < depthTo; depth += layout.group(), parameters += 2 * lanes) {
                int parameter = layout.parameterIndex(depth, laneFrom);
                VectorParameters.decode(layout, page, parameter, lanes, work, parameters);
            }
            for (int r = 0; r < rows; r++) {
                System.arraycopy(x, xOffset + r * xStride, work, weights(layout, r), depthTo - depthFrom);
            }
            int groups = (depthTo - depthFrom) / layout.group();
            addCodes(layout, page, laneFrom, laneTo, depthFrom, depthTo, groups, rows, work, out, outOffset, outStride);
            return;
        }
        int depth = depthFrom;
        while (depth < depthTo) {
            int groupEnd = Math.min(depthTo, (depth / layout.group() + 1) * layout.group());
            int at = xOffset + depth - depthFrom;
            groupOfDepths(
                    layout, page, laneFrom, laneTo, depth, groupEnd, x, at, xStride, rows, out, outOffset, outStride,
                    work);
            depth = groupEnd;
        }
    }

    /** Whether codes are read by {@link VectorMasked}. */
    private static boolean masked(PackedLayout layout, int depth) {
        return layout.bits() == 2 && !layout.quantizer().isCodebook() && depth % UNIT == 0;
    }

    /** Weights of all rows under a group's parameters, and their sums of zeros behind them. */
    private static void weigh(
            PackedLayout layout,
            MemorySegment page,
            int lane,
            int depth,
            int count,
            boolean masked,
            float[] x,
            int xOffset,
            int xStride,
            int rows,
            float[] work) {
        Quantizer quantizer = layout.quantizer();
        int parameter = layout.parameterIndex(depth, lane);
        boolean hasZero = quantizer.zeroFormat() == ZeroFormat.F16;
        long scales = layout.scaleOffset(parameter);
        int sums = weights(layout, ROWS);
        int second = Math.min(1, rows - 1);
        int third = Math.min(2, rows - 1);
        int fourth = rows - 1;
        int w = weights(layout, 0) + depth % layout.wordDepths();
        int step = VectorRead.padded(layout);
        VectorWeigh.rows4(
                page,
                scales,
                hasZero ? layout.zeroOffset(parameter) : scales,
                masked ? VectorMasked.FACTORS : VectorWeigh.ONES,
                masked ? -1 : 0,
                hasZero ? 0 : -quantizer.offset(),
                hasZero ? 1 : 0,
                count,
                x,
                xOffset,
                xOffset + second * xStride,
                xOffset + third * xStride,
                xOffset + fourth * xStride,
                work,
                w,
                w + second * step,
                w + third * step,
                w + fourth * step,
                sums);
    }

    /** {@link VectorRead#weigh} for the end of a range, where vectors are not worth their places in a compilation unit. */
    private static float weighFew(int count, float[] x, int xOffset, float[] work, int to) {
        float even = 0;
        float odd = 0;
        for (int i = 0; i < count; i++) {
            float xi = x[xOffset + i];
            work[to + i] = work[i] * xi;
            float zero = work[count + i] * xi;
            if (i % 2 == 0) {
                even += zero;
            } else {
                odd += zero;
            }
        }
        return even + odd;
    }

    private static void addMasked(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depth,
            int count,
            int rows,
            float[] work,
            float[] out,
            int outOffset,
            int outStride) {
        long offset = layout.wordAt(0, depth, laneFrom);
        int words = count / UNIT;
        int sums = weights(layout, ROWS);
        int w = weights(layout, 0);
        int step = VectorRead.padded(layout);
        int second = Math.min(1, rows - 1);
        int third = Math.min(2, rows - 1);
        int fourth = rows - 1;
        for (int o = outOffset; o < outOffset + laneTo - laneFrom; o += UNIT, offset += layout.unitBytes(0)) {
            VectorMasked.rows4(
                    page,
                    offset,
                    words,
                    work,
                    w,
                    w + second * step,
                    w + third * step,
                    w + fourth * step,
                    sums,
                    out,
                    o,
                    o + second * outStride,
                    o + third * outStride,
                    o + fourth * outStride);
        }
    }

    private static int parameters(PackedLayout layout) {
        return weights(layout, ROWS) + ROWS * layout.lanes();
    }

    /** Numbers of {@code work}. */
    static int workSize(PackedLayout layout) {
        int groups = layout.axis() == Axis.PER_DEPTH ? 0 : layout.depth() / layout.group();
        return parameters(layout) + 2 * groups * layout.lanes();
    }

    private static int weights(PackedLayout layout, int row) {
        return VectorRead.tables(layout) + row * VectorRead.padded(layout);
    }

    private static void groupOfDepths(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depth,
            int groupEnd,
            float[] x,
            int xOffset,
            int xStride,
            int rows,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        int lanes = laneTo - laneFrom;
        int sums = weights(layout, ROWS);
        int lead = depth % layout.wordDepths();
        boolean hasZero = layout.quantizer().zeroFormat() != ZeroFormat.NONE;
        int parameter = layout.parameterIndex(depth, laneFrom);
        VectorParameters.decodeStored(layout, page, parameter, lanes, work, 0);
        for (int r = 0; r < rows; r++) {
            int from = xOffset + r * xStride;
            float total = VectorRead.copy(x, from, groupEnd - depth, work, weights(layout, r) + lead);
            float constant = hasZero ? 0 : -layout.quantizer().offset() * total;
            Arrays.fill(work, sums + r * lanes, sums + (r + 1) * lanes, constant);
            if (hasZero) {
                add(work, lanes, lanes, total, out, outOffset + r * outStride);
            }
        }
        addCodes(layout, page, laneFrom, laneTo, depth, groupEnd, 0, rows, work, work, sums, lanes);
        for (int r = 0; r < rows; r++) {
            addScaled(work, sums + r * lanes, lanes, out, outOffset + r * outStride);
        }
    }

    /** {@code out[i] += constant}; a method by itself, see {@link VectorKernels}. */
    private static void add(float constant, int lanes, float[] out, int o) {
        for (int i = o; i < o + lanes; i += V) {
            FloatVector.fromArray(F, out, i).add(constant).intoArray(out, i);
        }
    }

    /** {@code out[i] += work[at + i] * factor}. */
    static void add(float[] work, int at, int lanes, float factor, float[] out, int o) {
        for (int i = 0; i < lanes; i += V) {
            FloatVector.fromArray(F, work, at + i)
                    .fma(FloatVector.broadcast(F, factor), FloatVector.fromArray(F, out, o + i))
                    .intoArray(out, o + i);
        }
    }

    /** {@code out[i] += work[at + i] * work[i]}. */
    private static void addScaled(float[] work, int at, int lanes, float[] out, int o) {
        for (int i = 0; i < lanes; i += V) {
            FloatVector.fromArray(F, work, at + i)
                    .fma(FloatVector.fromArray(F, work, i), FloatVector.fromArray(F, out, o + i))
                    .intoArray(out, o + i);
        }
    }

    /**
     * Adds the codes' levels by the weights of {@code rows} rows in {@code work}.
     *
     * @param groups groups of depths whose parameters are in {@code work}; 0 where levels are not scaled
     */
    private static void addCodes(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int from,
            int to,
            int groups,
            int rows,
            float[] work,
            float[] out,
            int outOffset,
            int outStride) {
        int whole = layout.wordDepths();
        int first = from / whole * whole;
        int depths = Math.ceilDiv(to, whole) * whole - first;
        for (int r = 0; r < rows; r++) {
            int weights = weights(layout, r);
            Arrays.fill(work, weights, weights + from - first, 0f);
            Arrays.fill(work, weights + to - first, weights + depths, 0f);
        }
        for (int lane = laneFrom; lane < laneTo; lane += 2 * UNIT) {
            int o = outOffset + lane - laneFrom;
            int parameters = groups == 0 ? -1 : parameters(layout) + lane - laneFrom;
            addPair(
                    layout,
                    page,
                    lane,
                    first,
                    depths,
                    groups,
                    parameters,
                    laneTo - laneFrom,
                    rows,
                    work,
                    out,
                    o,
                    outStride);
        }
    }

    private static void addPair(
            PackedLayout layout,
            MemorySegment page,
            int lane,
            int first,
            int depths,
            int groups,
            int parameters,
            int stride,
            int rows,
            float[] work,
            float[] out,
            int o0,
            int outStride) {
        Quantizer quantizer = layout.quantizer();
        int bits = layout.bits();
        long offset = layout.wordAt(0, first, lane);
        long unitBytes = layout.unitBytes(0);
        int words = VectorRead.words(layout, 0, first, depths);
        int w0 = weights(layout, 0);
        int w1 = weights(layout, Math.min(1, rows - 1));
        int w2 = weights(layout, Math.min(2, rows - 1));
        int w3 = weights(layout, Math.min(3, rows - 1));
        int o1 = o0 + Math.min(1, rows - 1) * outStride;
        int o2 = o0 + Math.min(2, rows - 1) * outStride;
        int o3 = o0 + Math.min(3, rows - 1) * outStride;
        if (groups == 0) {
            if (layout.planes() > 1) {
                VectorRowCodes.planes(
                        layout.planeBits(0),
                        layout.planeBits(1),
                        page,
                        offset,
                        unitBytes,
                        layout.wordAt(1, first, lane),
                        layout.unitBytes(1),
                        words,
                        work,
                        w0,
                        w1,
                        w2,
                        w3,
                        quantizer.repeated(),
                        out,
                        o0,
                        o1,
                        o2,
                        o3);
            } else if (bits == 8) {
                VectorRowCodes.bytes(page, offset, unitBytes, words, work, w0, w1, w2, w3, out, o0, o1, o2, o3);
            } else {
                float[] levels = quantizer.isCodebook() ? quantizer.patterns() : VectorPlanes.linear(bits);
                VectorRowCodes.looked(
                        bits, page, offset, unitBytes, words, work, w0, w1, w2, w3, levels, out, o0, o1, o2, o3);
            }
            return;
        }
        words /= groups;
        if (layout.planes() > 1) {
            VectorRowGroups.planes(
                    layout.planeBits(0),
                    layout.planeBits(1),
                    page,
                    offset,
                    unitBytes,
                    layout.wordAt(1, first, lane),
                    layout.unitBytes(1),
                    words,
                    work,
                    w0,
                    w1,
                    w2,
                    w3,
                    quantizer.repeated(),
                    groups,
                    parameters,
                    stride,
                    out,
                    o0,
                    o1,
                    o2,
                    o3);
        } else if (bits == 8) {
            VectorRowGroups.bytes(
                    page,
                    offset,
                    unitBytes,
                    words,
                    work,
                    w0,
                    w1,
                    w2,
                    w3,
                    groups,
                    parameters,
                    stride,
                    out,
                    o0,
                    o1,
                    o2,
                    o3);
        } else {
            float[] levels = quantizer.isCodebook() ? quantizer.patterns() : VectorPlanes.linear(bits);
            VectorRowGroups.looked(
                    bits,
                    page,
                    offset,
                    unitBytes,
                    words,
                    work,
                    w0,
                    w1,
                    w2,
                    w3,
                    levels,
                    groups,
                    parameters,
                    stride,
                    out,
                    o0,
                    o1,
                    o2,
                    o3);
        }
    }
}
