package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.LANES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link MatVec} for packed weights: codes become floats in registers, and what a scale is shared by is summed before it is
 * multiplied. Layouts are drawn in {@link Q8Blocks}, {@link NibbleBlocks} and {@link SuperBlocks}.
 */
final class BlockMatVec {
    private BlockMatVec() {}

    /** Whether {@link #set} knows the type on this machine. */
    static boolean serves(DType dtype) {
        return switch (dtype) {
            case Q8_0 -> LANES == 8 || LANES == 16;
            // Tables of 16 numbers.
            case Q4_0, IQ4_NL -> LANES == 16;
            default -> false;
        };
    }

    /** As {@link MatVec#set}: four rows, one after the other; four at once are more than the compiler keeps in registers. */
    static void set(Matrix w, int row, float[] x, float[] out) {
        for (int r = row; r < row + MatVec.ROWS; r++) {
            out[r] = product(w, r * w.rowBytes(), x);
        }
    }

    private static float product(Matrix w, long at, float[] x) {
        return switch (w.dtype()) {
            case Q8_0 -> q8(w.data(), at, x, w.columns());
            case Q4_0 -> tables(w.data(), at, NibbleBlocks.linear(), x, w.columns());
            case IQ4_NL -> tables(w.data(), at, NibbleBlocks.levels(), x, w.columns());
            default -> throw new IllegalArgumentException(w.dtype() + " is not served");
        };
    }

    private static FloatVector x(float[] x, int at) {
        return FloatVector.fromArray(F, x, at);
    }

    private static float q8(MemorySegment data, long first, float[] x, int columns) {
        FloatVector a = FloatVector.zero(F);
        long block = first;
        for (int i = 0; i < columns; i += Runs.RUN, block += DType.Q8_0.blockBytes()) {
            a = q8(data, block, x, i, a);
        }
        return Simd.sum(a);
    }

    private static FloatVector q8(MemorySegment data, long block, float[] x, int at, FloatVector sum) {
        FloatVector products = Runs.signed(data, block + 2).mul(x(x, at));
        for (int j = LANES; j < Runs.RUN; j += LANES) {
            products = Runs.signed(data, block + 2 + j).fma(x(x, at + j), products);
        }
        return products.fma(FloatVector.broadcast(F, Halves.at(data, block)), sum);
    }

    private static float tables(MemorySegment data, long first, float[] levels, float[] x, int columns) {
        IntVector table = x(levels, 0).reinterpretAsInts();
        FloatVector a = FloatVector.zero(F);
        long block = first;
        for (int i = 0; i < columns; i += Runs.RUN, block += DType.Q4_0.blockBytes()) {
            a = table(data, block, table, x(x, i), x(x, i + 16), a);
        }
        return Simd.sum(a);
    }

    private static FloatVector table(
            MemorySegment data, long block, IntVector table, FloatVector low, FloatVector high, FloatVector sum) {
        IntVector both = Runs.unsigned(data, block + 2);
        // A lookup takes the low four bits of an index alone.
        FloatVector first = both.selectFrom(table).reinterpretAsFloats();
        FloatVector second =
                both.lanewise(VectorOperators.LSHR, 4).selectFrom(table).reinterpretAsFloats();
        FloatVector products = second.fma(high, first.mul(low));
        return products.fma(FloatVector.broadcast(F, Halves.at(data, block)), sum);
    }
}
