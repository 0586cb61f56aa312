package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.I;
import static dev.kvasir.tensor.Simd.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Dot products of weight rows with one token, straight from the matrix's bytes: the product of decoding, which should run as
 * fast as memory can be read.
 *
 * <p>One row after the other, but for BF16, here and in {@link BlockMatVec} and {@link SuperMatVec}: several at once are more vector
 * operations than C2 inlines in one method, and it then makes an object of each vector. Rows lie one after the other in
 * memory, so this is also the order the hardware foresees.
 */
final class MatVec {
    /** As many shorts as {@link Simd#F} has floats. */
    static final VectorSpecies<Short> HALF =
            VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private MatVec() {}

    /** Whether {@link #set} knows the type on this machine. */
    static boolean serves(DType dtype) {
        return switch (dtype) {
            case F32, BF16 -> true;
            // Faster through RowReader, which has an instruction for them.
            case F16 -> false;
            case Q8_0, Q4_0, Q4_1, IQ4_NL, Q5_0, Q5_1 -> BlockMatVec.serves(dtype);
            case Q2_K, Q3_K, Q4_K, Q5_K, Q6_K -> SuperMatVec.serves();
        };
    }

    /** Writes the products of rows {@code from} to {@code to - 1} with {@code x [columns]} to {@code out[from]} and on. */
    static void set(Matrix w, int from, int to, float[] x, float[] out) {
        int row = from;
        if (w.dtype() == DType.BF16) {
            int bound = F.loopBound(w.columns());
            for (; row <= to - 4; row += 4) {
                setBf16(w.data(), row, x, w.columns(), out);
                for (int r = row; bound < w.columns() && r < row + 4; r++) {
                    out[r] += bf16(w.data(), r * w.rowBytes(), x, bound, w.columns());
                }
            }
        }
        for (; row < to; row++) {
            out[row] = product(w, row * w.rowBytes(), x);
        }
    }

    private static float product(Matrix w, long at, float[] x) {
        return switch (w.dtype()) {
            case F32 -> f32(w.data(), at, x, w.columns());
            case BF16 -> bf16(w.data(), at, x, 0, w.columns());
            case F16 -> throw new IllegalArgumentException(w.dtype() + " is not served");
            case Q8_0, Q4_0, Q4_1, IQ4_NL, Q5_0, Q5_1 -> BlockMatVec.product(w, at, x);
            case Q2_K, Q3_K, Q4_K, Q5_K, Q6_K -> SuperMatVec.product(w, at, x);
        };
    }

    /** A bf16 is the upper half of a float. */
    static FloatVector bf16(MemorySegment row, int column) {
        return bf16At(row, 2L * column);
    }

    /** The same from a byte offset on. */
    static FloatVector bf16At(MemorySegment data, long offset) {
        return ShortVector.fromMemorySegment(HALF, data, offset, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0)
                .reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 16)
                .reinterpretAsFloats();
    }

    private static float f32(MemorySegment data, long first, float[] x, int columns) {
        FloatVector a = FloatVector.zero(F);
        int bound = F.loopBound(columns);
        for (int i = 0; i < bound; i += LANES) {
            FloatVector w = FloatVector.fromMemorySegment(F, data, first + 4L * i, ByteOrder.LITTLE_ENDIAN);
            a = w.fma(FloatVector.fromArray(F, x, i), a);
        }
        float sum = Simd.sum(a);
        for (int i = bound; i < columns; i++) {
            sum += data.get(FLOAT, first + 4L * i) * x[i];
        }
        return sum;
    }

    private static float bf16(MemorySegment data, long first, float[] x, int from, int to) {
        float sum = 0;
        for (int i = from; i < to; i++) {
            sum += Float.intBitsToFloat(data.get(Halves.LAYOUT, first + 2L * i) << 16) * x[i];
        }
        return sum;
    }

    /** Four rows at once: what a BF16 takes to become a float is little enough for that. */
    private static void setBf16(MemorySegment data, int row, float[] x, int columns, float[] out) {
        // Made here, where they are used, so that they need not exist.
        long bytes = 2L * columns;
        MemorySegment w0 = data.asSlice(row * bytes, bytes);
        MemorySegment w1 = data.asSlice((row + 1) * bytes, bytes);
        MemorySegment w2 = data.asSlice((row + 2) * bytes, bytes);
        MemorySegment w3 = data.asSlice((row + 3) * bytes, bytes);
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        FloatVector a2 = a0;
        FloatVector a3 = a0;
        int bound = F.loopBound(columns);
        for (int i = 0; i < bound; i += LANES) {
            FloatVector v = FloatVector.fromArray(F, x, i);
            a0 = v.fma(bf16(w0, i), a0);
            a1 = v.fma(bf16(w1, i), a1);
            a2 = v.fma(bf16(w2, i), a2);
            a3 = v.fma(bf16(w3, i), a3);
        }
        store(Simd.sums(a0, a1, a2, a3), out, row);
    }

    private static void store(FloatVector sums, float[] out, int o) {
        out[o] = sums.lane(0);
        out[o + 1] = sums.lane(1);
        out[o + 2] = sums.lane(2);
        out[o + 3] = sums.lane(3);
    }
}
