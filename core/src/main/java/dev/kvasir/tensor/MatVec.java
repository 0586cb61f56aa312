package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.I;
import static dev.kvasir.tensor.Simd.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Dot products of weight rows with one token, straight from the matrix's bytes: the product of decoding, which should run as
 * fast as memory can be read.
 *
 * <p>One row after the other, here and in {@link BlockMatVec} and {@link SuperMatVec}: several at once are more vector
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
            case F32, F16, BF16 -> true;
            case Q8_0, Q4_0, Q4_1, IQ4_NL, Q5_0, Q5_1 -> BlockMatVec.serves(dtype);
            case Q2_K, Q3_K, Q4_K, Q5_K, Q6_K -> SuperMatVec.serves();
        };
    }

    /** Writes the products of rows {@code from} to {@code to - 1} with {@code x [columns]} to {@code out[from]} and on. */
    static void set(Matrix w, int from, int to, float[] x, float[] out) {
        for (int row = from; row < to; row++) {
            out[row] = product(w, row * w.rowBytes(), x);
        }
    }

    private static float product(Matrix w, long at, float[] x) {
        return switch (w.dtype()) {
            case F32 -> f32(w.data(), at, x, w.columns());
            case F16 -> f16(w.data(), at, x, w.columns());
            case BF16 -> bf16(w.data(), at, x, w.columns());
            case Q8_0, Q4_0, Q4_1, IQ4_NL, Q5_0, Q5_1 -> BlockMatVec.product(w, at, x);
            case Q2_K, Q3_K, Q4_K, Q5_K, Q6_K -> SuperMatVec.product(w, at, x);
        };
    }

    /** BF16s from a byte offset on: each is the upper half of a float. */
    static FloatVector bf16At(MemorySegment data, long offset) {
        return shorts(data, offset).lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    private static IntVector shorts(MemorySegment data, long offset) {
        return ShortVector.fromMemorySegment(HALF, data, offset, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0)
                .reinterpretAsInts();
    }

    /** F16s from a byte offset on, to the bit what {@link Float#float16ToFloat} gives but for the payload of a NaN. */
    static FloatVector f16At(MemorySegment data, long offset) {
        IntVector bits = shorts(data, offset);
        IntVector sign = bits.and(0x8000).lanewise(VectorOperators.LSHL, 16);
        IntVector magnitude = bits.and(0x7fff).lanewise(VectorOperators.LSHL, 13);
        // The exponent is 15 more than it says there, 127 more here; infinity's and a NaN's is the largest in both.
        IntVector normal = magnitude.add((127 - 15) << 23);
        normal = normal.add((127 - 15) << 23, magnitude.compare(VectorOperators.GE, 31 << 23));
        // Below the smallest exponent the leading 1 is not implied: with it, then without.
        FloatVector small =
                magnitude.add((127 - 14) << 23).reinterpretAsFloats().sub(0x1p-14f);
        return normal.blend(small.reinterpretAsInts(), magnitude.compare(VectorOperators.LT, 1 << 23))
                .or(sign)
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

    private static float f16(MemorySegment data, long first, float[] x, int columns) {
        FloatVector a = FloatVector.zero(F);
        int bound = F.loopBound(columns);
        for (int i = 0; i < bound; i += LANES) {
            a = f16At(data, first + 2L * i).fma(FloatVector.fromArray(F, x, i), a);
        }
        float sum = Simd.sum(a);
        for (int i = bound; i < columns; i++) {
            sum += Halves.at(data, first + 2L * i) * x[i];
        }
        return sum;
    }

    private static float bf16(MemorySegment data, long first, float[] x, int columns) {
        FloatVector a = FloatVector.zero(F);
        int bound = F.loopBound(columns);
        for (int i = 0; i < bound; i += LANES) {
            a = bf16At(data, first + 2L * i).fma(FloatVector.fromArray(F, x, i), a);
        }
        float sum = Simd.sum(a);
        for (int i = bound; i < columns; i++) {
            sum += Float.intBitsToFloat(data.get(Halves.LAYOUT, first + 2L * i) << 16) * x[i];
        }
        return sum;
    }
}
