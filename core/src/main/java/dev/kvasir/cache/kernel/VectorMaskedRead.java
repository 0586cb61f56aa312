package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.UNIT;
import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * The product of three or four rows with the codes that {@link VectorMasked} reads. With its {@code m = 1 + u / f} for a level u,
 * {@code s u + z = (s f) m + (z - s f)}: scales and zeros of a range of depths are brought to that form once for all rows.
 *
 * <pre>
 *   work = scales | zeros | ... | weights of four rows
 * </pre>
 */
final class VectorMaskedRead {
    private static final int PAIR = 2 * UNIT;

    private VectorMaskedRead() {}

    /** Whether a part of a page can be read here: whole words and whole vectors of depths, three or four rows. */
    static boolean serves(PackedLayout layout, int depthFrom, int depthTo, int rows) {
        return rows > 2 && VectorMasked.serves(layout) && depthFrom % UNIT == 0 && depthTo % UNIT == 0;
    }

    /** Adds to lanes that are pairs of units, within one group. */
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
        int count = depthTo - depthFrom;
        VectorParameters.decode(layout, page, layout.parameterIndex(depthFrom, laneFrom), count, work, 0);
        toMasked(VectorMasked.factors(layout.bits()), work, count);
        for (int r = 0; r < rows; r++) {
            float constant = VectorRead.weigh(
                    count, x, xOffset + r * xStride, work, 0, count, work, VectorRows.weights(layout, r));
            VectorRows.add(constant, laneTo - laneFrom, out, outOffset + r * outStride);
        }
        add(layout, page, laneFrom, laneTo, depthFrom, count, rows, work, out, outOffset, outStride);
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
