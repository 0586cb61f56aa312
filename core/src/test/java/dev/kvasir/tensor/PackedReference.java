package dev.kvasir.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.random.RandomGenerator;

/**
 * The oracle of the packed types: blocks unpacked as a whole, byte by byte in the order of storage, as ggml's {@code
 * dequantize_row_*} describe them. The product goes the other way, from an element to its bits.
 */
public final class PackedReference {
    private static final int[] IQ4_NL = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

    private PackedReference() {}

    /** All elements of a block. */
    public static float[] block(DType dtype, byte[] bytes) {
        return switch (dtype) {
            case Q8_0 -> scaled(half(bytes, 0), 0, signed(bytes, 2, 32), 0);
            case Q4_0 -> scaled(half(bytes, 0), 0, nibbles(bytes, 2), 8);
            case Q4_1 -> scaled(half(bytes, 0), half(bytes, 2), nibbles(bytes, 4), 0);
            case Q5_0 -> scaled(half(bytes, 0), 0, fiveBits(bytes, 2), 16);
            case Q5_1 -> scaled(half(bytes, 0), half(bytes, 2), fiveBits(bytes, 4), 0);
            case IQ4_NL -> scaled(half(bytes, 0), 0, looked(nibbles(bytes, 2)), 0);
            case Q2_K -> q2(bytes);
            case Q3_K -> q3(bytes);
            case Q4_K -> withMins(bytes, fourBitPlanes(bytes, 16));
            case Q5_K -> withMins(bytes, plus(fourBitPlanes(bytes, 48), bitPlanes(bytes, 16), 4));
            case Q6_K -> q6(bytes);
            case F32, F16, BF16 -> throw new IllegalArgumentException(dtype + " is not packed");
        };
    }

    /** Random codes whose numbers have about the {@code deviation} asked for; every bit of a block takes both values. */
    public static byte[] random(DType dtype, double deviation, RandomGenerator random) {
        byte[] bytes = new byte[dtype.blockBytes()];
        random.nextBytes(bytes);
        double d = deviation * (0.8 + 0.4 * random.nextDouble());
        switch (dtype) {
            case Q8_0, IQ4_NL -> put(bytes, 0, d / 74);
            case Q4_0 -> put(bytes, 0, d / 4.6);
            case Q5_0 -> put(bytes, 0, d / 9.2);
            case Q4_1 -> {
                put(bytes, 0, d / 4.6);
                put(bytes, 2, -7.5 * d / 4.6);
            }
            case Q5_1 -> {
                put(bytes, 0, d / 9.2);
                put(bytes, 2, -15.5 * d / 9.2);
            }
            case Q2_K -> {
                put(bytes, 80, d / 16);
                put(bytes, 82, d / 11);
            }
            case Q3_K -> put(bytes, 108, d / 42);
            case Q4_K -> {
                put(bytes, 0, d / 300);
                put(bytes, 2, d / 40);
            }
            case Q5_K -> {
                put(bytes, 0, d / 600);
                put(bytes, 2, d / 40);
            }
            case Q6_K -> put(bytes, 208, d / 1370);
            case F32, F16, BF16 -> throw new IllegalArgumentException(dtype + " is not packed");
        }
        return bytes;
    }

    /** The elements of a row of a packed matrix. */
    public static float[] row(Matrix matrix, int row) {
        DType dtype = matrix.dtype();
        float[] values = new float[matrix.columns()];
        for (int b = 0; b < matrix.columns() / dtype.blockElements(); b++) {
            long at = row * matrix.rowBytes() + (long) b * dtype.blockBytes();
            MemorySegment block = matrix.data().asSlice(at, dtype.blockBytes());
            float[] numbers = block(dtype, block.toArray(ValueLayout.JAVA_BYTE));
            System.arraycopy(numbers, 0, values, b * numbers.length, numbers.length);
        }
        return values;
    }

    private static float half(byte[] bytes, int at) {
        return Float.float16ToFloat((short) ((bytes[at] & 0xff) | (bytes[at + 1] << 8)));
    }

    private static void put(byte[] bytes, int at, double value) {
        short bits = Float.floatToFloat16((float) value);
        bytes[at] = (byte) bits;
        bytes[at + 1] = (byte) (bits >>> 8);
    }

    private static float[] scaled(float d, float min, int[] codes, int zero) {
        float[] values = new float[codes.length];
        for (int i = 0; i < codes.length; i++) {
            values[i] = d * (codes[i] - zero) + min;
        }
        return values;
    }

    private static int[] signed(byte[] bytes, int from, int count) {
        int[] codes = new int[count];
        for (int i = 0; i < count; i++) {
            codes[i] = bytes[from + i];
        }
        return codes;
    }

    private static int[] nibbles(byte[] bytes, int from) {
        int[] codes = new int[32];
        for (int j = 0; j < 16; j++) {
            int both = bytes[from + j] & 0xff;
            codes[j] = both % 16;
            codes[j + 16] = both / 16;
        }
        return codes;
    }

    private static int[] fiveBits(byte[] bytes, int from) {
        int[] codes = nibbles(bytes, from + 4);
        for (int i = 0; i < 32; i++) {
            boolean high = (bytes[from + i / 8] & (1 << (i % 8))) != 0;
            codes[i] += high ? 16 : 0;
        }
        return codes;
    }

    private static int[] looked(int[] codes) {
        int[] levels = new int[codes.length];
        for (int i = 0; i < codes.length; i++) {
            levels[i] = IQ4_NL[codes[i]];
        }
        return levels;
    }

    /** 64 bytes that hold 256 codes of two bits. */
    private static int[] twoBitPlanes(byte[] bytes, int from) {
        int[] codes = new int[256];
        int next = 0;
        for (int half = 0; half < 2; half++) {
            for (int divisor = 1; divisor < 256; divisor *= 4) {
                for (int b = 0; b < 32; b++) {
                    codes[next++] = (bytes[from + 32 * half + b] & 0xff) / divisor % 4;
                }
            }
        }
        return codes;
    }

    /** 128 bytes that hold 256 codes of four bits. */
    private static int[] fourBitPlanes(byte[] bytes, int from) {
        int[] codes = new int[256];
        int next = 0;
        for (int quarter = 0; quarter < 4; quarter++) {
            for (int divisor = 1; divisor < 256; divisor *= 16) {
                for (int b = 0; b < 32; b++) {
                    codes[next++] = (bytes[from + 32 * quarter + b] & 0xff) / divisor % 16;
                }
            }
        }
        return codes;
    }

    /** 32 bytes that hold 256 bits. */
    private static int[] bitPlanes(byte[] bytes, int from) {
        int[] bits = new int[256];
        for (int b = 0; b < 32; b++) {
            for (int plane = 0; plane < 8; plane++) {
                bits[32 * plane + b] = (bytes[from + b] & (1 << plane)) != 0 ? 1 : 0;
            }
        }
        return bits;
    }

    private static int[] plus(int[] low, int[] high, int shift) {
        int[] sum = new int[low.length];
        for (int i = 0; i < low.length; i++) {
            sum[i] = low[i] + (high[i] << shift);
        }
        return sum;
    }

    private static float[] q2(byte[] bytes) {
        int[] codes = twoBitPlanes(bytes, 16);
        float[] values = new float[256];
        for (int i = 0; i < 256; i++) {
            int group = bytes[i / 16] & 0xff;
            int min = group / 16;
            values[i] = half(bytes, 80) * (group % 16) * codes[i] - half(bytes, 82) * min;
        }
        return values;
    }

    private static float[] q3(byte[] bytes) {
        // The twelve bytes: low halves of scales 0 to 7 and 8 to 15 share eight bytes, then four bytes hold the high
        // pairs.
        int[] scales = new int[16];
        for (int b = 0; b < 8; b++) {
            scales[b] = (bytes[96 + b] & 0xff) % 16;
            scales[b + 8] = (bytes[96 + b] & 0xff) / 16;
        }
        for (int b = 0; b < 4; b++) {
            int pairs = bytes[104 + b] & 0xff;
            for (int k = 0; k < 4; k++) {
                scales[4 * k + b] += 16 * (pairs % 4);
                pairs /= 4;
            }
        }
        int[] codes = plus(twoBitPlanes(bytes, 32), bitPlanes(bytes, 0), 2);
        float[] values = new float[256];
        for (int i = 0; i < 256; i++) {
            values[i] = half(bytes, 108) * (scales[i / 16] - 32) * (codes[i] - 4);
        }
        return values;
    }

    private static float[] withMins(byte[] bytes, int[] codes) {
        int[] scales = new int[8];
        int[] mins = new int[8];
        for (int g = 0; g < 4; g++) {
            int first = bytes[4 + g] & 0xff;
            int second = bytes[8 + g] & 0xff;
            int third = bytes[12 + g] & 0xff;
            scales[g] = first % 64;
            mins[g] = second % 64;
            scales[g + 4] = first / 64 * 16 + third % 16;
            mins[g + 4] = second / 64 * 16 + third / 16;
        }
        float[] values = new float[256];
        for (int i = 0; i < 256; i++) {
            values[i] = half(bytes, 0) * scales[i / 32] * codes[i] - half(bytes, 2) * mins[i / 32];
        }
        return values;
    }

    private static float[] q6(byte[] bytes) {
        int[] codes = new int[256];
        for (int half = 0; half < 2; half++) {
            for (int b = 0; b < 64; b++) {
                int both = bytes[64 * half + b] & 0xff;
                codes[128 * half + b] = both % 16;
                codes[128 * half + 64 + b] = both / 16;
            }
        }
        codes = plus(codes, twoBitPlanes(bytes, 128), 4);
        float[] values = new float[256];
        for (int i = 0; i < 256; i++) {
            values[i] = half(bytes, 208) * bytes[192 + i / 16] * (codes[i] - 32);
        }
        return values;
    }
}
