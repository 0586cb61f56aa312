package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link MatVec} for packed weights: codes become floats in registers, and what a scale is shared by is summed before it is
 * multiplied. Layouts are drawn in {@link Q8Blocks}, {@link NibbleBlocks} and {@link SuperBlocks}.
 */
final class BlockMatVec {
    private static final int SUPER = 256;

    private BlockMatVec() {}

    /** Whether {@link #set} knows the type on this machine. */
    static boolean serves(DType dtype) {
        return switch (dtype) {
            case Q8_0, Q4_K, Q6_K -> LANES == 8 || LANES == 16;
            // Tables of 16 numbers.
            case Q4_0, IQ4_NL -> LANES == 16;
            default -> false;
        };
    }

    /** As {@link MatVec#set}: four rows. */
    static void set(Matrix w, int row, float[] x, float[] out) {
        long bytes = w.rowBytes();
        long first = row * bytes;
        FloatVector sums = switch (w.dtype()) {
            case Q8_0 -> q8(w.data(), first, bytes, x, w.columns());
            case Q4_0 -> tables(w.data(), first, bytes, NibbleBlocks.linear(), x, w.columns());
            case IQ4_NL -> tables(w.data(), first, bytes, NibbleBlocks.levels(), x, w.columns());
            case Q4_K -> q4Super(w.data(), first, bytes, x, w.columns());
            default -> q6Super(w.data(), first, bytes, x, w.columns());
        };
        for (int i = 0; i < MatVec.ROWS; i++) {
            out[row + i] = sums.lane(i);
        }
    }

    private static FloatVector x(float[] x, int at) {
        return FloatVector.fromArray(F, x, at);
    }

    private static FloatVector q8(MemorySegment data, long first, long row, float[] x, int columns) {
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        FloatVector a2 = a0;
        FloatVector a3 = a0;
        long block = first;
        for (int i = 0; i < columns; i += Runs.RUN, block += DType.Q8_0.blockBytes()) {
            a0 = q8(data, block, x, i, a0);
            a1 = q8(data, block + row, x, i, a1);
            a2 = q8(data, block + 2 * row, x, i, a2);
            a3 = q8(data, block + 3 * row, x, i, a3);
        }
        return Simd.sums(a0, a1, a2, a3);
    }

    private static FloatVector q8(MemorySegment data, long block, float[] x, int at, FloatVector sum) {
        FloatVector products = Runs.signed(data, block + 2).mul(x(x, at));
        for (int j = LANES; j < Runs.RUN; j += LANES) {
            products = Runs.signed(data, block + 2 + j).fma(x(x, at + j), products);
        }
        return products.fma(FloatVector.broadcast(F, Halves.at(data, block)), sum);
    }

    private static FloatVector tables(
            MemorySegment data, long first, long row, float[] levels, float[] x, int columns) {
        IntVector table = x(levels, 0).reinterpretAsInts();
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        FloatVector a2 = a0;
        FloatVector a3 = a0;
        long block = first;
        for (int i = 0; i < columns; i += Runs.RUN, block += DType.Q4_0.blockBytes()) {
            FloatVector low = x(x, i);
            FloatVector high = x(x, i + 16);
            a0 = table(data, block, table, low, high, a0);
            a1 = table(data, block + row, table, low, high, a1);
            a2 = table(data, block + 2 * row, table, low, high, a2);
            a3 = table(data, block + 3 * row, table, low, high, a3);
        }
        return Simd.sums(a0, a1, a2, a3);
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

    private static FloatVector q4Super(MemorySegment data, long first, long row, float[] x, int columns) {
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        FloatVector a2 = a0;
        FloatVector a3 = a0;
        long block = first;
        for (int i = 0; i < columns; i += SUPER, block += DType.Q4_K.blockBytes()) {
            a0 = q4Super(data, block, x, i, a0);
            a1 = q4Super(data, block + row, x, i, a1);
            a2 = q4Super(data, block + 2 * row, x, i, a2);
            a3 = q4Super(data, block + 3 * row, x, i, a3);
        }
        return Simd.sums(a0, a1, a2, a3);
    }

    private static FloatVector q4Super(MemorySegment data, long block, float[] x, int at, FloatVector sum) {
        float d = Halves.at(data, block);
        float dmin = -Halves.at(data, block + 2);
        FloatVector a = sum;
        for (int stripe = 0; stripe < 8; stripe += 2) {
            long codes = block + 16 + 16L * stripe;
            int from = at + Runs.RUN * stripe;
            FloatVector low = FloatVector.zero(F);
            FloatVector high = low;
            FloatVector ofLow = low;
            FloatVector ofHigh = low;
            for (int j = 0; j < Runs.RUN; j += LANES) {
                IntVector both = Runs.unsigned(data, codes + j);
                FloatVector u = x(x, from + j);
                FloatVector v = x(x, from + Runs.RUN + j);
                low = Runs.floats(both.and(15)).fma(u, low);
                high = Runs.floats(both.lanewise(VectorOperators.LSHR, 4)).fma(v, high);
                ofLow = ofLow.add(u);
                ofHigh = ofHigh.add(v);
            }
            a = low.fma(all(d * SuperBlocks.scale(data, block + 4, stripe)), a);
            a = high.fma(all(d * SuperBlocks.scale(data, block + 4, stripe + 1)), a);
            a = ofLow.fma(all(dmin * SuperBlocks.min(data, block + 4, stripe)), a);
            a = ofHigh.fma(all(dmin * SuperBlocks.min(data, block + 4, stripe + 1)), a);
        }
        return a;
    }

    private static FloatVector all(float number) {
        return FloatVector.broadcast(F, number);
    }

    private static FloatVector q6Super(MemorySegment data, long first, long row, float[] x, int columns) {
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        FloatVector a2 = a0;
        FloatVector a3 = a0;
        long block = first;
        for (int i = 0; i < columns; i += SUPER, block += DType.Q6_K.blockBytes()) {
            a0 = q6Super(data, block, x, i, a0);
            a1 = q6Super(data, block + row, x, i, a1);
            a2 = q6Super(data, block + 2 * row, x, i, a2);
            a3 = q6Super(data, block + 3 * row, x, i, a3);
        }
        return Simd.sums(a0, a1, a2, a3);
    }

    /** Halves of 128 elements; in each, a piece of a byte's lanes serves four stripes. */
    private static FloatVector q6Super(MemorySegment data, long block, float[] x, int at, FloatVector sum) {
        FloatVector a = FloatVector.zero(F);
        for (int half = 0; half < 2; half++) {
            long low = block + 64L * half;
            long scales = block + 192 + 8L * half;
            int from = at + 128 * half;
            for (int j = 0; j < Runs.RUN; j += LANES) {
                IntVector high = Runs.unsigned(data, block + 128 + 32L * half + j);
                IntVector l0 = Runs.unsigned(data, low + j);
                IntVector l1 = Runs.unsigned(data, low + 32 + j);
                long scale = scales + j / 16;
                a = six(l0.and(15), high.and(3), data, scale, x, from + j, a);
                a = six(l1.and(15), twoBits(high, 2), data, scale + 2, x, from + 32 + j, a);
                a = six(shifted(l0, 4), twoBits(high, 4), data, scale + 4, x, from + 64 + j, a);
                a = six(shifted(l1, 4), shifted(high, 6), data, scale + 6, x, from + 96 + j, a);
            }
        }
        return a.fma(all(Halves.at(data, block + 208)), sum);
    }

    private static IntVector shifted(IntVector v, int bits) {
        return v.lanewise(VectorOperators.LSHR, bits);
    }

    private static IntVector twoBits(IntVector v, int from) {
        return shifted(v, from).and(3);
    }

    private static FloatVector six(
            IntVector low, IntVector high, MemorySegment data, long scale, float[] x, int at, FloatVector sum) {
        IntVector codes = low.or(high.lanewise(VectorOperators.LSHL, 4)).sub(32);
        FloatVector products = Runs.floats(codes).mul(x(x, at));
        return products.fma(all(data.get(ValueLayout.JAVA_BYTE, scale)), sum);
    }
}
