package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.LANES;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Dot products of four weight rows with one token, straight from the matrix's bytes: the product of decoding, which
 * should run as fast as memory can be read. Four rows at once share the loads of the token and keep four streams open.
 */
final class MatVec {
    /** Rows done at once. */
    static final int ROWS = 4;

    /** As many shorts as {@link Simd#F} has floats. */
    static final VectorSpecies<Short> HALF =
            VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));

    private MatVec() {}

    /** Whether {@link #set} knows the type. */
    static boolean serves(DType dtype) {
        return dtype == DType.F32 || dtype == DType.BF16 || BlockMatVec.serves(dtype);
    }

    /** Writes the products of rows {@code row} to {@code row + 3} with {@code x [columns]} to {@code out[row]} and on. */
    static void set(Matrix w, int row, float[] x, float[] out) {
        if (w.dtype().isPacked()) {
            BlockMatVec.set(w, row, x, out);
            return;
        }
        if (w.dtype() == DType.F32) {
            setF32(w.data(), row, x, w.columns(), out);
        } else {
            setBf16(w.data(), row, x, w.columns(), out);
        }
        int bound = F.loopBound(w.columns());
        if (bound < w.columns()) {
            addTail(w, row, bound, x, out);
        }
    }

    private static FloatVector f32(MemorySegment row, int column) {
        return FloatVector.fromMemorySegment(F, row, 4L * column, ByteOrder.LITTLE_ENDIAN);
    }

    /** A bf16 is the upper half of a float. */
    static FloatVector bf16(MemorySegment row, int column) {
        return bf16At(row, 2L * column);
    }

    /** The same from a byte offset on. */
    static FloatVector bf16At(MemorySegment data, long offset) {
        return ShortVector.fromMemorySegment(HALF, data, offset, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.ZERO_EXTEND_S2I, Simd.I, 0)
                .reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 16)
                .reinterpretAsFloats();
    }

    private static void setF32(MemorySegment data, int row, float[] x, int columns, float[] out) {
        // Made here, where they are used, so that they need not exist.
        long bytes = 4L * columns;
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
            a0 = v.fma(f32(w0, i), a0);
            a1 = v.fma(f32(w1, i), a1);
            a2 = v.fma(f32(w2, i), a2);
            a3 = v.fma(f32(w3, i), a3);
        }
        store(Simd.sums(a0, a1, a2, a3), out, row);
    }

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

    private static void addTail(Matrix w, int row, int from, float[] x, float[] out) {
        int count = w.columns() - from;
        float[] rest = new float[LANES];
        for (int r = row; r < row + ROWS; r++) {
            RowReader.read(w, r, from, count, rest, 0);
            for (int i = 0; i < count; i++) {
                out[r] += rest[i] * x[from + i];
            }
        }
    }
}
