package dev.kvasir.tensor;

import dev.kvasir.InvalidInputException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;

/**
 * Makes weights of a type from floats, rounded as ggml's {@code quantize_row_*_ref} round (ggml-quants.c): codes are made with
 * the F32 scale, which is rounded to F16 only when stored. Layouts are drawn in {@link Q8Blocks}, {@link NibbleBlocks} and
 * {@link FiveBitBlocks}.
 */
public final class Quantize {
    private static final int BLOCK = 32;
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt BITS = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Quantize() {}

    /** Whether {@link #encode} makes the type; the K types and IQ4_NL are only read. */
    public static boolean makes(DType dtype) {
        return switch (dtype) {
            case F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 -> true;
            case Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL -> false;
        };
    }

    /**
     * Writes {@code count} numbers, whole blocks, as {@code dtype.bytes(count)} bytes to {@code out} from {@code offset} on.
     *
     * @throws IllegalArgumentException if {@code dtype} is not {@linkplain #makes made} or the numbers are not whole blocks
     * @throws IndexOutOfBoundsException if the numbers or the bytes lie outside
     * @throws InvalidInputException if a packed type cannot hold them: one is not finite, or larger than an F16 scale reaches
     */
    public static void encode(DType dtype, float[] numbers, int from, int count, MemorySegment out, long offset) {
        if (!makes(dtype)) {
            throw new IllegalArgumentException("cannot make " + dtype + " of floats");
        }
        Objects.checkFromIndexSize(from, count, numbers.length);
        Objects.checkFromIndexSize(offset, dtype.bytes(count), out.byteSize());
        switch (dtype) {
            case F32 -> MemorySegment.copy(numbers, from, out, F32, offset, count);
            case F16 -> f16(numbers, from, count, out, offset);
            case BF16 -> bf16(numbers, from, count, out, offset);
            default -> blocks(dtype, numbers, from, count, out, offset);
        }
    }

    private static void f16(float[] numbers, int from, int count, MemorySegment out, long offset) {
        for (int i = 0; i < count; i++) {
            out.set(Halves.LAYOUT, offset + 2L * i, Float.floatToFloat16(numbers[from + i]));
        }
    }

    private static void bf16(float[] numbers, int from, int count, MemorySegment out, long offset) {
        for (int i = 0; i < count; i++) {
            out.set(Halves.LAYOUT, offset + 2L * i, bf16(numbers[from + i]));
        }
    }

    /** The upper half, ties to even; a NaN stays one. */
    private static short bf16(float number) {
        int bits = Float.floatToRawIntBits(number);
        int rounded = Float.isNaN(number) ? bits | 1 << 22 : bits + 0x7fff + ((bits >>> 16) & 1);
        return (short) (rounded >>> 16);
    }

    private static void blocks(DType dtype, float[] x, int from, int count, MemorySegment out, long offset) {
        long at = offset;
        for (int i = from; i < from + count; i += BLOCK, at += dtype.blockBytes()) {
            switch (dtype) {
                case Q8_0 -> q8(x, i, out, at);
                case Q4_0 -> symmetric(dtype, x, i, 8, out, at);
                case Q5_0 -> symmetric(dtype, x, i, 16, out, at);
                case Q4_1 -> range(dtype, x, i, 15, out, at);
                default -> range(dtype, x, i, 31, out, at);
            }
        }
    }

    /** {@code d = max |x| / 127}, ties of a code away from zero. */
    private static void q8(float[] x, int from, MemorySegment out, long at) {
        float largest = 0;
        for (int i = from; i < from + BLOCK; i++) {
            largest = Math.max(largest, Math.abs(x[i]));
        }
        float d = largest / 127;
        half(DType.Q8_0, d, out, at);
        float inverse = d == 0 ? 0 : 1 / d;
        for (int i = 0; i < BLOCK; i++) {
            float scaled = x[from + i] * inverse;
            out.set(ValueLayout.JAVA_BYTE, at + 2 + i, (byte) (scaled + Math.copySign(0.5, scaled)));
        }
    }

    /** The number of largest size gets code 0: {@code d = -x / zero}, {@code code = trunc(x / d + zero + 1/2)}. */
    private static void symmetric(DType dtype, float[] x, int from, int zero, MemorySegment out, long at) {
        float d = largest(x, from) / -zero;
        half(dtype, d, out, at);
        float inverse = d == 0 ? 0 : 1 / d;
        codes(x, from, 0, inverse, zero + 0.5f, 2 * zero - 1, out, at + 2);
    }

    /** {@code m = min x}, {@code d = (max x - m) / most}, {@code code = trunc((x - m) / d + 1/2)}. */
    private static void range(DType dtype, float[] x, int from, int most, MemorySegment out, long at) {
        float min = x[from];
        float max = x[from];
        for (int i = from; i < from + BLOCK; i++) {
            min = Math.min(min, x[i]);
            max = Math.max(max, x[i]);
        }
        float d = (max - min) / most;
        half(dtype, d, out, at);
        half(dtype, min, out, at + 2);
        codes(x, from, min, d == 0 ? 0 : 1 / d, 0.5f, most, out, at + 4);
    }

    /** Codes of four bits, or of five with the fifth bits before them. */
    private static void codes(
            float[] x, int from, float min, float inverse, float shift, int most, MemorySegment out, long at) {
        long nibbles = most > 15 ? at + 4 : at;
        int fifth = 0;
        for (int i = 0; i < BLOCK / 2; i++) {
            int low = Math.min(most, (int) ((x[from + i] - min) * inverse + shift));
            int high = Math.min(most, (int) ((x[from + 16 + i] - min) * inverse + shift));
            out.set(ValueLayout.JAVA_BYTE, nibbles + i, (byte) ((low & 15) | (high << 4)));
            fifth |= (low >>> 4 << i) | (high >>> 4 << (16 + i));
        }
        if (most > 15) {
            out.set(BITS, at, fifth);
        }
    }

    /** The first number of largest size, with its sign; NaN if there is one. */
    private static float largest(float[] x, int from) {
        float size = 0;
        float largest = 0;
        for (int i = from; i < from + BLOCK; i++) {
            // Not "greater": a NaN must win.
            if (!(Math.abs(x[i]) <= size)) {
                size = Math.abs(x[i]);
                largest = x[i];
                if (Float.isNaN(size)) {
                    return size;
                }
            }
        }
        return largest;
    }

    private static void half(DType dtype, float number, MemorySegment out, long at) {
        short bits = Float.floatToFloat16(number);
        if ((bits & 0x7c00) == 0x7c00) {
            throw new InvalidInputException("weights with a block whose scale or minimum is " + number + " cannot be "
                    + dtype + ", allowed are finite ones up to 65504");
        }
        out.set(Halves.LAYOUT, at, bits);
    }
}
