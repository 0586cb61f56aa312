package dev.kvasir.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;

/** Reads pieces of a matrix as floats: rows of an embedding, and the weights a kernel is about to use. */
public final class RowReader {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort F16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private RowReader() {}

    /**
     * Writes {@code count} elements, from {@code column} of {@code row} on, to {@code out} at {@code at}; the elements
     * may reach into the rows that follow.
     *
     * @throws IndexOutOfBoundsException if they lie outside the matrix or of {@code out}
     */
    public static void read(Matrix matrix, int row, int column, int count, float[] out, int at) {
        Objects.checkIndex(row, matrix.rows());
        Objects.checkFromIndexSize(at, count, out.length);
        int bytes = matrix.dtype().bytes();
        long offset = ((long) row * matrix.columns() + column) * bytes;
        Objects.checkFromIndexSize(offset, (long) count * bytes, matrix.data().byteSize());
        // No slices: each would be an object, and caches read weights tile by tile.
        switch (matrix.dtype()) {
            case F32 -> MemorySegment.copy(matrix.data(), F32, offset, out, at, count);
            case F16 -> readF16(matrix.data(), offset, count, out, at);
            case BF16 -> readBf16(matrix.data(), offset, count, out, at);
        }
    }

    // A plain loop: C2 makes the hardware's conversion of it, which the Vector API does not offer.
    private static void readF16(MemorySegment data, long offset, int count, float[] out, int at) {
        for (int i = 0; i < count; i++) {
            out[at + i] = Float.float16ToFloat(data.get(F16, offset + 2L * i));
        }
    }

    private static void readBf16(MemorySegment data, long offset, int count, float[] out, int at) {
        int i = 0;
        for (; i <= count - Simd.LANES; i += Simd.LANES) {
            MatVec.bf16At(data, offset + 2L * i).intoArray(out, at + i);
        }
        for (; i < count; i++) {
            out[at + i] = Float.intBitsToFloat(data.get(F16, offset + 2L * i) << 16);
        }
    }
}
