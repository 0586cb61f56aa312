package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.UNIT;
import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.V;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * The product of one to four rows with the codes that {@link VectorMasked} reads. With its {@code m = 1 + u / f} for a level u,
 * {@code s u + z = (s f) m + (z - s f)}: scales and zeros of a range of depths are brought to that form once for all rows.
 *
 * <pre>
 *   work = scales | zeros | ... | weights of four rows | sums of four rows for two units
 * </pre>
 */
final class VectorMaskedRead {
    private static final int PAIR = 2 * UNIT;

    private VectorMaskedRead() {}

    /** Whether a part of a page can be read here: whole words, whole vectors of depths, groups that are not cut. */
    static boolean serves(PackedLayout layout, int depthFrom, int depthTo) {
        if (!VectorMasked.serves(layout) || depthFrom % UNIT != 0 || depthTo % UNIT != 0) {
            return false;
        }
        return layout.axis() == Axis.PER_DEPTH
                || (layout.group() % UNIT == 0 && depthFrom % layout.group() == 0 && depthTo % layout.group() == 0);
    }

    /** Adds to lanes that are pairs of units, within one group if PER_DEPTH. */
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
            toMasked(VectorMasked.factors(layout.bits()), work, count);
            for (int r = 0; r < rows; r++) {
                float constant = VectorRead.weigh(
                        count, x, xOffset + r * xStride, work, 0, count, work, VectorRows.weights(layout, r));
                VectorRows.add(constant, laneTo - laneFrom, out, outOffset + r * outStride);
            }
            add(layout, page, laneFrom, laneTo, depthFrom, count, rows, work, out, outOffset, outStride);
            return;
        }
        for (int depth = depthFrom; depth < depthTo; depth += layout.group()) {
            int at = xOffset + depth - depthFrom;
            group(layout, page, laneFrom, laneTo, depth, x, at, xStride, rows, out, outOffset, outStride, work);
        }
    }

    /** A group of depths that share a scale for each lane: the sum of the levels is scaled. */
    private static void group(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depth,
            float[] x,
            int xOffset,
            int xStride,
            int rows,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        int lanes = laneTo - laneFrom;
        int sums = VectorRows.weights(layout, VectorRows.ROWS);
        boolean hasZero = layout.quantizer().zeroFormat() != ZeroFormat.NONE;
        VectorParameters.decodeStored(layout, page, layout.parameterIndex(depth, laneFrom), lanes, work, 0);
        float[] factors = VectorMasked.factors(layout.bits());
        for (int r = 0; r < rows; r++) {
            int weights = VectorRows.weights(layout, r);
            float total = VectorRead.copy(x, xOffset + r * xStride, layout.group(), work, weights);
            float weighted = weigh(factors, work, weights, layout.group());
            float constant =
                    hasZero ? -weighted : -weighted - layout.quantizer().offset() * total;
            Arrays.fill(work, sums + r * lanes, sums + (r + 1) * lanes, constant);
            if (hasZero) {
                VectorRows.add(work, lanes, lanes, total, out, outOffset + r * outStride);
            }
        }
        add(layout, page, laneFrom, laneTo, depth, layout.group(), rows, work, work, sums, lanes);
        for (int r = 0; r < rows; r++) {
            VectorRows.addScaled(work, sums + r * lanes, lanes, out, outOffset + r * outStride);
        }
    }

    /** Multiplies weights by the factors and returns their sum. */
    private static float weigh(float[] factors, float[] work, int at, int count) {
        FloatVector factor = FloatVector.fromArray(F, factors, 0);
        FloatVector sums = FloatVector.zero(F);
        for (int i = at; i < at + count; i += V) {
            FloatVector weight = FloatVector.fromArray(F, work, i).mul(factor);
            weight.intoArray(work, i);
            sums = sums.add(weight);
        }
        return Species.sum(sums);
    }

    /** Scales become s f, zeros z - s f. */
    private static void toMasked(float[] factors, float[] work, int count) {
        FloatVector factor = FloatVector.fromArray(F, factors, 0);
        for (int i = 0; i < count; i += V) {
            FloatVector scale = FloatVector.fromArray(F, work, i).mul(factor);
            scale.intoArray(work, i);
            FloatVector.fromArray(F, work, count + i).sub(scale).intoArray(work, count + i);
        }
    }

    private static void add(
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
        int bits = layout.bits();
        long unitBytes = layout.unitBytes(0);
        int words = count * bits / 32;
        int w0 = VectorRows.weights(layout, 0);
        int step = VectorRows.weights(layout, 1) - w0;
        long offset = layout.wordAt(0, depth, laneFrom);
        for (int o = outOffset; o < outOffset + laneTo - laneFrom; o += PAIR, offset += 2 * unitBytes) {
            if (rows <= 2) {
                VectorMasked.row(bits, page, offset, unitBytes, words, work, w0, out, o);
                if (rows == 2) {
                    VectorMasked.row(bits, page, offset, unitBytes, words, work, w0 + step, out, o + outStride);
                }
            } else {
                int last = rows - 1;
                VectorMasked.rows4(
                        bits,
                        page,
                        offset,
                        unitBytes,
                        words,
                        work,
                        w0,
                        w0 + step,
                        w0 + 2 * step,
                        w0 + last * step,
                        out,
                        o,
                        o + outStride,
                        o + 2 * outStride,
                        o + last * outStride);
            }
        }
    }
}
