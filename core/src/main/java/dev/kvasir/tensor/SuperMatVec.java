package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link MatVec} for the K types, whose layouts are drawn in {@link SuperBlocks}: bytes that hold codes of several stripes
 * are read once for all of them, 16 bytes at a time.
 */
final class SuperMatVec {
    private static final int BLOCK = 256;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private SuperMatVec() {}

    /** Whether this machine's vectors are of 16 floats, as many as share a scale. */
    static boolean serves() {
        return LANES == 16;
    }

    /** The product of the row whose bytes begin at {@code at} with {@code x [columns]}. */
    static float product(Matrix w, long at, float[] x) {
        int blocks = w.columns() / BLOCK;
        return switch (w.dtype()) {
            case Q2_K -> q2(w.data(), at, x, blocks);
            case Q3_K -> q3(w.data(), at, x, blocks);
            case Q4_K -> q4(w.data(), at, x, blocks);
            case Q5_K -> q5(w.data(), at, x, blocks);
            case Q6_K -> q6(w.data(), at, x, blocks);
            default -> throw new IllegalArgumentException(w.dtype() + " is not served");
        };
    }

    private static FloatVector x(float[] x, int at) {
        return FloatVector.fromArray(F, x, at);
    }

    private static FloatVector times(IntVector codes, FloatVector x) {
        return Runs.floats(codes).mul(x);
    }

    /** {@code sum + products * scale}. */
    private static FloatVector add(FloatVector sum, FloatVector products, float scale) {
        return products.fma(FloatVector.broadcast(F, scale), sum);
    }

    /** The two bits from {@code shift} on. */
    private static IntVector twoBits(IntVector bytes, int shift) {
        return bytes.lanewise(VectorOperators.LSHR, shift).and(3);
    }

    private static float q2(MemorySegment data, long first, float[] x, int blocks) {
        FloatVector sum = FloatVector.zero(F);
        FloatVector minimums = sum;
        for (int piece = 0; piece < 4 * blocks; piece++) {
            // Of a half of 128 elements, the first or the last 16 elements of each of its four stripes.
            long block = first + 84L * (piece / 4);
            int half = piece / 2 % 2;
            int last = piece % 2;
            float d = Halves.at(data, block + 80);
            float dmin = Halves.at(data, block + 82);
            IntVector bytes = Runs.unsigned(data, block + 16 + 32L * half + 16L * last);
            for (int stripe = 0; stripe < 4; stripe++) {
                int group = Halves.unsigned(data, block + 8L * half + 2L * stripe + last);
                FloatVector v = x(x, BLOCK * (piece / 4) + 128 * half + 32 * stripe + 16 * last);
                sum = add(sum, times(twoBits(bytes, 2 * stripe), v), d * (group & 15));
                minimums = add(minimums, v, dmin * (group >>> 4));
            }
        }
        return Simd.sum(sum.sub(minimums));
    }

    private static float q3(MemorySegment data, long first, float[] x, int blocks) {
        FloatVector sum = FloatVector.zero(F);
        for (int piece = 0; piece < 4 * blocks; piece++) {
            long block = first + 110L * (piece / 4);
            int half = piece / 2 % 2;
            int last = piece % 2;
            float d = Halves.at(data, block + 108);
            IntVector bytes = Runs.unsigned(data, block + 32 + 32L * half + 16L * last);
            IntVector thirds = Runs.unsigned(data, block + 16L * last).lanewise(VectorOperators.LSHR, 4L * half);
            for (int stripe = 0; stripe < 4; stripe++) {
                IntVector third =
                        thirds.lanewise(VectorOperators.LSHR, stripe).and(1).lanewise(VectorOperators.LSHL, 2);
                IntVector codes = twoBits(bytes, 2 * stripe).or(third).sub(4);
                FloatVector v = x(x, BLOCK * (piece / 4) + 128 * half + 32 * stripe + 16 * last);
                float scale = d * SuperBlocks.q3Scale(data, block + 96, 8 * half + 2 * stripe + last);
                sum = add(sum, times(codes, v), scale);
            }
        }
        return Simd.sum(sum);
    }

    /** The scales of groups 0 to 7, a byte each: see {@link SuperBlocks#scale}. */
    private static long scales(MemorySegment data, long at) {
        int own = data.get(INT, at);
        int high = (data.get(INT, at + 8) & 0x0f0f0f0f) | (((own >>> 6) & 0x03030303) << 4);
        return (own & 0x3f3f3f3fL) | (long) high << 32;
    }

    /** The mins, likewise. */
    private static long mins(MemorySegment data, long at) {
        int own = data.get(INT, at + 4);
        int high = ((data.get(INT, at + 8) >>> 4) & 0x0f0f0f0f) | (((own >>> 6) & 0x03030303) << 4);
        return (own & 0x3f3f3f3fL) | (long) high << 32;
    }

    private static int byteOf(long bytes, int index) {
        return (int) (bytes >>> (8 * index)) & 0xff;
    }

    private static float q4(MemorySegment data, long first, float[] x, int blocks) {
        FloatVector even = FloatVector.zero(F);
        FloatVector odd = even;
        FloatVector minimums = even;
        for (int b = 0; b < blocks; b++) {
            long block = first + 144L * b;
            float d = Halves.at(data, block);
            float dmin = Halves.at(data, block + 2);
            long scales = scales(data, block + 4);
            long mins = mins(data, block + 4);
            for (int pair = 0; pair < 4; pair++) {
                int at = BLOCK * b + 64 * pair;
                IntVector first16 = Runs.unsigned(data, block + 16 + 32L * pair);
                IntVector last16 = Runs.unsigned(data, block + 32 + 32L * pair);
                FloatVector x0 = x(x, at);
                FloatVector x1 = x(x, at + 16);
                FloatVector products = Runs.floats(last16.and(15)).fma(x1, times(first16.and(15), x0));
                even = add(even, products, d * byteOf(scales, 2 * pair));
                minimums = add(minimums, x0.add(x1), dmin * byteOf(mins, 2 * pair));
                x0 = x(x, at + 32);
                x1 = x(x, at + 48);
                products = times(first16.lanewise(VectorOperators.LSHR, 4), x0);
                products = Runs.floats(last16.lanewise(VectorOperators.LSHR, 4)).fma(x1, products);
                odd = add(odd, products, d * byteOf(scales, 2 * pair + 1));
                minimums = add(minimums, x0.add(x1), dmin * byteOf(mins, 2 * pair + 1));
            }
        }
        return Simd.sum(even.add(odd).sub(minimums));
    }

    /** The bit of a stripe, as 16. */
    private static IntVector fifth(IntVector bits, int stripe) {
        return bits.lanewise(VectorOperators.LSHR, stripe).and(1).lanewise(VectorOperators.LSHL, 4);
    }

    private static float q5(MemorySegment data, long first, float[] x, int blocks) {
        FloatVector sum = FloatVector.zero(F);
        FloatVector minimums = sum;
        for (int b = 0; b < blocks; b++) {
            long block = first + 176L * b;
            float d = Halves.at(data, block);
            float dmin = Halves.at(data, block + 2);
            long scales = scales(data, block + 4);
            long mins = mins(data, block + 4);
            for (int pair = 0; pair < 4; pair++) {
                float scale0 = d * byteOf(scales, 2 * pair);
                float scale1 = d * byteOf(scales, 2 * pair + 1);
                float min0 = dmin * byteOf(mins, 2 * pair);
                float min1 = dmin * byteOf(mins, 2 * pair + 1);
                for (int j = 0; j < Runs.RUN; j += 16) {
                    IntVector bytes = Runs.unsigned(data, block + 48 + 32L * pair + j);
                    IntVector bits = Runs.unsigned(data, block + 16 + j).lanewise(VectorOperators.LSHR, 2L * pair);
                    FloatVector x0 = x(x, BLOCK * b + 64 * pair + j);
                    FloatVector x1 = x(x, BLOCK * b + 64 * pair + 32 + j);
                    sum = add(sum, times(bytes.and(15).or(fifth(bits, 0)), x0), scale0);
                    minimums = add(minimums, x0, min0);
                    IntVector high = bytes.lanewise(VectorOperators.LSHR, 4).or(fifth(bits, 1));
                    sum = add(sum, times(high, x1), scale1);
                    minimums = add(minimums, x1, min1);
                }
            }
        }
        return Simd.sum(sum.sub(minimums));
    }

    private static float q6(MemorySegment data, long first, float[] x, int blocks) {
        FloatVector even = FloatVector.zero(F);
        FloatVector odd = even;
        for (int piece = 0; piece < 8 * blocks; piece++) {
            // As in q2, in two steps: stripes 0 and 2 share the bytes of their low bits, so do 1 and 3.
            long block = first + 210L * (piece / 8);
            int half = piece / 4 % 2;
            int last = piece / 2 % 2;
            int stripe = piece % 2;
            int at = BLOCK * (piece / 8) + 128 * half + 32 * stripe + 16 * last;
            float d = Halves.at(data, block + 208);
            long scales = block + 192 + 8L * half + 2L * stripe + last;
            IntVector high = Runs.unsigned(data, block + 128 + 32L * half + 16L * last)
                    .lanewise(VectorOperators.LSHR, 2 * stripe);
            IntVector low = Runs.unsigned(data, block + 64L * half + 32L * stripe + 16L * last);
            even = add(even, times(six(low.and(15), high, 0), x(x, at)), d * data.get(ValueLayout.JAVA_BYTE, scales));
            odd = add(
                    odd,
                    times(six(low.lanewise(VectorOperators.LSHR, 4), high, 4), x(x, at + 64)),
                    d * data.get(ValueLayout.JAVA_BYTE, scales + 4));
        }
        return Simd.sum(even.add(odd));
    }

    /** A code of six bits: four, and two of {@code high} from {@code shift} on; -32 to 31. */
    private static IntVector six(IntVector low, IntVector high, int shift) {
        return twoBits(high, shift).lanewise(VectorOperators.LSHL, 4).or(low).sub(32);
    }
}
