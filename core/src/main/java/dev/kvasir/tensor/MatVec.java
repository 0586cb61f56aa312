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

    /** Elements of two vectors: with a sum for each, an addition need not wait for the one before. */
    private static final int PAIR = 2 * LANES;

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
        return ShortVector.fromMemorySegment(HALF, data, offset, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0)
                .reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 16)
                .reinterpretAsFloats();
    }

    /** F16s from a byte offset on: what {@link Float#float16ToFloat} gives, but for the payload of a NaN. */
    static FloatVector f16At(MemorySegment data, long offset) {
        IntVector bits = (IntVector) ShortVector.fromMemorySegment(HALF, data, offset, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.S2I, I, 0);
        // The sign is extended: with exponent and mantissa moved to a float's places, only the exponent's offset is
        // missing.
        FloatVector scaled = bits.lanewise(VectorOperators.LSHL, 13)
                .and(0x8fff_e000)
                .reinterpretAsFloats()
                .mul(0x1p112f);
        // The largest exponent means infinity and NaN in both.
        return scaled.reinterpretAsInts()
                .lanewise(VectorOperators.OR, 255 << 23, bits.and(31 << 10).eq(31 << 10))
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
        FloatVector even = FloatVector.zero(F);
        FloatVector odd = even;
        int bound = columns / PAIR * PAIR;
        for (int i = 0; i < bound; i += PAIR) {
            even = f16At(data, first + 2L * i).fma(FloatVector.fromArray(F, x, i), even);
            odd = f16At(data, first + 2L * (i + LANES)).fma(FloatVector.fromArray(F, x, i + LANES), odd);
        }
        float sum = Simd.sum(even.add(odd));
        for (int i = bound; i < columns; i++) {
            sum += Halves.at(data, first + 2L * i) * x[i];
        }
        return sum;
    }

    private static float bf16(MemorySegment data, long first, float[] x, int columns) {
        FloatVector even = FloatVector.zero(F);
        FloatVector odd = even;
        int bound = columns / PAIR * PAIR;
        for (int i = 0; i < bound; i += PAIR) {
            even = bf16At(data, first + 2L * i).fma(FloatVector.fromArray(F, x, i), even);
            odd = bf16At(data, first + 2L * (i + LANES)).fma(FloatVector.fromArray(F, x, i + LANES), odd);
        }
        float sum = Simd.sum(even.add(odd));
        for (int i = bound; i < columns; i++) {
            sum += Float.intBitsToFloat(data.get(Halves.LAYOUT, first + 2L * i) << 16) * x[i];
        }
        return sum;
    }
}
