package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link MatVec} for the types with blocks of 32: codes become floats in registers, and what a block shares is summed before
 * it is multiplied. Layouts are drawn in {@link Q8Blocks}, {@link NibbleBlocks} and {@link FiveBitBlocks}.
 *
 * <p>Offsets are written as {@code first + index * bytes} rather than counted up: C2 then checks the bounds of a loop once.
 */
final class BlockMatVec {
    private static final ValueLayout.OfInt BITS = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private BlockMatVec() {}

    /** Whether {@link #product} knows the type on this machine. */
    static boolean serves(DType dtype) {
        return switch (dtype) {
            case Q8_0 -> LANES == 8 || LANES == 16;
            // Tables of 16 numbers.
            case Q4_0, Q4_1, IQ4_NL, Q5_0, Q5_1 -> LANES == 16;
            default -> false;
        };
    }

    /** The product of the row whose bytes begin at {@code at} with {@code x [columns]}. */
    static float product(Matrix w, long at, float[] x) {
        int blocks = w.columns() / Runs.RUN;
        return switch (w.dtype()) {
            case Q8_0 -> q8(w.data(), at, x, blocks);
            case Q4_0 -> q4(w.data(), at, NibbleBlocks.linear(), x, blocks);
            case IQ4_NL -> q4(w.data(), at, NibbleBlocks.levels(), x, blocks);
            case Q4_1 -> q4WithMinimum(w.data(), at, x, blocks);
            case Q5_0 -> q5(w.data(), at, x, blocks);
            case Q5_1 -> q5WithMinimum(w.data(), at, x, blocks);
            default -> throw new IllegalArgumentException(w.dtype() + " is not served");
        };
    }

    private static FloatVector x(float[] x, int at) {
        return FloatVector.fromArray(F, x, at);
    }

    private static FloatVector half(MemorySegment data, long offset) {
        return FloatVector.broadcast(F, Halves.at(data, offset));
    }

    private static float q8(MemorySegment data, long first, float[] x, int blocks) {
        FloatVector sum = FloatVector.zero(F);
        for (int i = 0; i < blocks; i++) {
            long block = first + 34L * i;
            FloatVector products = Runs.signed(data, block + 2).mul(x(x, 32 * i));
            for (int j = LANES; j < Runs.RUN; j += LANES) {
                products = Runs.signed(data, block + 2 + j).fma(x(x, 32 * i + j), products);
            }
            sum = products.fma(half(data, block), sum);
        }
        return Simd.sum(sum);
    }

    /** What the low halves of bytes mean: a lookup takes the low four bits of an index alone. */
    private static FloatVector low(IntVector both, FloatVector levels) {
        return both.selectFrom(levels.reinterpretAsInts()).reinterpretAsFloats();
    }

    private static FloatVector high(IntVector both, FloatVector levels) {
        return low(both.lanewise(VectorOperators.LSHR, 4), levels);
    }

    private static float q4(MemorySegment data, long first, float[] meanings, float[] x, int blocks) {
        FloatVector levels = x(meanings, 0);
        FloatVector sum = FloatVector.zero(F);
        for (int i = 0; i < blocks; i++) {
            long block = first + 18L * i;
            IntVector both = Runs.unsigned(data, block + 2);
            FloatVector products = low(both, levels).mul(x(x, 32 * i));
            products = high(both, levels).fma(x(x, 32 * i + 16), products);
            sum = products.fma(half(data, block), sum);
        }
        return Simd.sum(sum);
    }

    private static float q4WithMinimum(MemorySegment data, long first, float[] x, int blocks) {
        FloatVector levels = x(NibbleBlocks.linear(), 0).add(8);
        FloatVector sum = FloatVector.zero(F);
        FloatVector minimums = sum;
        for (int i = 0; i < blocks; i++) {
            long block = first + 20L * i;
            FloatVector x0 = x(x, 32 * i);
            FloatVector x1 = x(x, 32 * i + 16);
            IntVector both = Runs.unsigned(data, block + 4);
            FloatVector products = high(both, levels).fma(x1, low(both, levels).mul(x0));
            sum = products.fma(half(data, block), sum);
            minimums = x0.add(x1).fma(half(data, block + 2), minimums);
        }
        return Simd.sum(sum.add(minimums));
    }

    /** Adds 16 where a bit is set, bit {@code i} for lane {@code i}. */
    private static FloatVector withFifth(FloatVector levels, int bits) {
        return levels.add(16, VectorMask.fromLong(F, bits));
    }

    private static float q5(MemorySegment data, long first, float[] x, int blocks) {
        FloatVector levels = x(NibbleBlocks.linear(), 0).sub(8);
        FloatVector sum = FloatVector.zero(F);
        for (int i = 0; i < blocks; i++) {
            long block = first + 22L * i;
            int fifth = data.get(BITS, block + 2);
            IntVector both = Runs.unsigned(data, block + 6);
            FloatVector products = withFifth(low(both, levels), fifth & 0xffff).mul(x(x, 32 * i));
            products = withFifth(high(both, levels), fifth >>> 16).fma(x(x, 32 * i + 16), products);
            sum = products.fma(half(data, block), sum);
        }
        return Simd.sum(sum);
    }

    private static float q5WithMinimum(MemorySegment data, long first, float[] x, int blocks) {
        FloatVector levels = x(NibbleBlocks.linear(), 0).add(8);
        FloatVector sum = FloatVector.zero(F);
        FloatVector minimums = sum;
        for (int i = 0; i < blocks; i++) {
            long block = first + 24L * i;
            int fifth = data.get(BITS, block + 4);
            FloatVector x0 = x(x, 32 * i);
            FloatVector x1 = x(x, 32 * i + 16);
            IntVector both = Runs.unsigned(data, block + 8);
            FloatVector products = withFifth(low(both, levels), fifth & 0xffff).mul(x0);
            products = withFifth(high(both, levels), fifth >>> 16).fma(x1, products);
            sum = products.fma(half(data, block), sum);
            minimums = x0.add(x1).fma(half(data, block + 2), minimums);
        }
        return Simd.sum(sum.add(minimums));
    }
}
