package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.UNIT;
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
 * The product of up to four rows with packed codes of 1, 2 or 4 bits on vectors of 16 lanes: each word is loaded and shifted
 * once, each code looked up once, and its level multiplied with the weight of every row. The sums are those of {@link
 * VectorRead}. A row fewer is the last one twice: the same number is written to the same place.
 *
 * <pre>
 *   work = scales of a range | its zeros | ... | weights of four rows, whole words | sums of four rows
 * </pre>
 */
final class VectorRows {
    static final int ROWS = 4;
    private static final int UNIT_BYTES = UNIT * 4;

    private VectorRows() {}

    /** Whether so many rows cost less together than one by one. */
    static boolean serves(PackedLayout layout, int rows) {
        boolean looksUp = V == 16 && (layout.bits() == 1 || layout.bits() == 2 || layout.bits() == 4);
        return looksUp && rows >= (layout.bits() == 4 ? 2 : 3);
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
            VectorParameters.decode(layout, page, layout.parameterIndex(depthFrom, laneFrom), count, work, 0);
            int lead = depthFrom % layout.wordDepths();
            for (int r = 0; r < rows; r++) {
                int weights = weights(layout, r) + lead;
                float constant = VectorRead.weigh(count, x, xOffset + r * xStride, work, 0, count, work, weights);
                int o = outOffset + r * outStride;
                for (int i = o; i < o + laneTo - laneFrom; i += V) {
                    FloatVector.fromArray(F, out, i).add(constant).intoArray(out, i);
                }
            }
            addCodes(layout, page, laneFrom, laneTo, depthFrom, depthTo, rows, work, out, outOffset, outStride);
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
        Arrays.fill(work, sums, sums + rows * lanes, 0f);
        int lead = depth % layout.wordDepths();
        for (int r = 0; r < rows; r++) {
            System.arraycopy(x, xOffset + r * xStride, work, weights(layout, r) + lead, groupEnd - depth);
        }
        addCodes(layout, page, laneFrom, laneTo, depth, groupEnd, rows, work, work, sums, lanes);
        VectorParameters.decode(layout, page, layout.parameterIndex(depth, laneFrom), lanes, work, 0);
        for (int r = 0; r < rows; r++) {
            float total = 0;
            for (int i = xOffset + r * xStride; i < xOffset + r * xStride + groupEnd - depth; i++) {
                total += x[i];
            }
            int o = outOffset + r * outStride;
            for (int i = 0; i < lanes; i += V) {
                FloatVector sum = FloatVector.fromArray(F, work, i)
                        .fma(
                                FloatVector.fromArray(F, work, sums + r * lanes + i),
                                FloatVector.fromArray(F, out, o + i));
                FloatVector.fromArray(F, work, lanes + i)
                        .fma(FloatVector.broadcast(F, total), sum)
                        .intoArray(out, o + i);
            }
        }
    }

    /** Adds the codes' levels by the weights of {@code rows} rows in {@code work}. */
    private static void addCodes(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int from,
            int to,
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
        Quantizer quantizer = layout.quantizer();
        float[] levels = quantizer.isCodebook() ? quantizer.patterns() : VectorPlanes.linear(layout.bits());
        for (int lane = laneFrom; lane < laneTo; lane += 2 * UNIT) {
            int o = outOffset + lane - laneFrom;
            add(
                    layout.bits(),
                    page,
                    layout.wordAt(0, first, lane),
                    layout.unitBytes(0),
                    depths / whole,
                    work,
                    weights(layout, 0),
                    weights(layout, Math.min(1, rows - 1)),
                    weights(layout, Math.min(2, rows - 1)),
                    weights(layout, Math.min(3, rows - 1)),
                    levels,
                    out,
                    o,
                    o + Math.min(1, rows - 1) * outStride,
                    o + Math.min(2, rows - 1) * outStride,
                    o + Math.min(3, rows - 1) * outStride);
        }
    }

    /** Two units, four rows. The levels repeat, so that a permute need not be told which bits of a word to leave out. */
    private static void add(
            int width,
            MemorySegment page,
            long offset,
            long unitBytes,
            int words,
            float[] work,
            int w0,
            int w1,
            int w2,
            int w3,
            float[] levels,
            float[] out,
            int o0,
            int o1,
            int o2,
            int o3) {
        int perWord = 32 / width;
        IntVector shift = IntVector.broadcast(I, width);
        IntVector table = FloatVector.fromArray(F, levels, 0).reinterpretAsInts();
        FloatVector a0 = FloatVector.fromArray(F, out, o0);
        FloatVector a1 = FloatVector.fromArray(F, out, o1);
        FloatVector a2 = FloatVector.fromArray(F, out, o2);
        FloatVector a3 = FloatVector.fromArray(F, out, o3);
        FloatVector b0 = FloatVector.fromArray(F, out, o0 + UNIT);
        FloatVector b1 = FloatVector.fromArray(F, out, o1 + UNIT);
        FloatVector b2 = FloatVector.fromArray(F, out, o2 + UNIT);
        FloatVector b3 = FloatVector.fromArray(F, out, o3 + UNIT);
        for (int j = 0; j < words * perWord; j += perWord, offset += UNIT_BYTES) {
            IntVector c = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN);
            IntVector d = IntVector.fromMemorySegment(I, page, offset + unitBytes, ByteOrder.LITTLE_ENDIAN);
            for (int i = j; i < j + perWord; i++) {
                FloatVector level = c.selectFrom(table).reinterpretAsFloats();
                FloatVector other = d.selectFrom(table).reinterpretAsFloats();
                FloatVector weight = FloatVector.broadcast(F, work[w0 + i]);
                a0 = level.fma(weight, a0);
                b0 = other.fma(weight, b0);
                weight = FloatVector.broadcast(F, work[w1 + i]);
                a1 = level.fma(weight, a1);
                b1 = other.fma(weight, b1);
                weight = FloatVector.broadcast(F, work[w2 + i]);
                a2 = level.fma(weight, a2);
                b2 = other.fma(weight, b2);
                weight = FloatVector.broadcast(F, work[w3 + i]);
                a3 = level.fma(weight, a3);
                b3 = other.fma(weight, b3);
                c = c.lanewise(VectorOperators.LSHR, shift);
                d = d.lanewise(VectorOperators.LSHR, shift);
            }
        }
        a0.intoArray(out, o0);
        a1.intoArray(out, o1);
        a2.intoArray(out, o2);
        a3.intoArray(out, o3);
        b0.intoArray(out, o0 + UNIT);
        b1.intoArray(out, o1 + UNIT);
        b2.intoArray(out, o2 + UNIT);
        b3.intoArray(out, o3 + UNIT);
    }
}
