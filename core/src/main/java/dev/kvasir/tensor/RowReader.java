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
        long first = (long) row * matrix.columns() + column;
        Objects.checkFromIndexSize(first, count, (long) matrix.rows() * matrix.columns());
        // No slices: each would be an object, and caches read weights tile by tile.
        switch (matrix.dtype()) {
            case F32 -> MemorySegment.copy(matrix.data(), F32, 4 * first, out, at, count);
            case F16 -> readF16(matrix.data(), 2 * first, count, out, at);
            case BF16 -> readBf16(matrix.data(), 2 * first, count, out, at);
            default -> readPacked(matrix.dtype(), matrix.data(), first, count, out, at);
        }
    }

    private static void readPacked(DType dtype, MemorySegment data, long first, int count, float[] out, int at) {
        // One by one up to the next run, whole runs at once, one by one again.
        int head = (int) Math.min(count, Math.floorMod(-first, (long) Runs.RUN));
        int runs = Runs.serve(dtype) ? (count - head) / Runs.RUN : 0;
        int done = head + runs * Runs.RUN;
        readValues(dtype, data, first, head, out, at);
        if (runs > 0) {
            Runs.read(dtype, data, (first + head) / Runs.RUN, runs, out, at + head);
        }
        readValues(dtype, data, first + done, count - done, out, at + done);
    }

    private static void readValues(DType dtype, MemorySegment data, long first, int count, float[] out, int at) {
        int size = dtype.blockElements();
        for (int i = 0; i < count; i++) {
            long block = (first + i) / size * dtype.blockBytes();
            out[at + i] = value(dtype, data, block, (int) ((first + i) % size));
        }
    }

    private static float value(DType dtype, MemorySegment data, long block, int i) {
        return switch (dtype) {
            case Q8_0 -> Q8Blocks.value(data, block, i);
            case Q4_0 -> NibbleBlocks.q4(data, block, i);
            case Q4_1 -> NibbleBlocks.q4WithMinimum(data, block, i);
            case IQ4_NL -> NibbleBlocks.iq4(data, block, i);
            case Q5_0 -> FiveBitBlocks.q5(data, block, i);
            case Q5_1 -> FiveBitBlocks.q5WithMinimum(data, block, i);
            case Q2_K -> SuperBlocks.q2(data, block, i);
            case Q3_K -> SuperBlocks.q3(data, block, i);
            case Q4_K -> SuperBlocks.q4(data, block, i);
            case Q5_K -> SuperBlocks.q5(data, block, i);
            case Q6_K -> SuperBlocks.q6(data, block, i);
            case F32, F16, BF16 -> throw new IllegalArgumentException(dtype + " is not packed");
        };
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
