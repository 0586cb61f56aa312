package dev.kvasir.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The K types of ggml: super-blocks of 256 codes in groups of 16 (Q2_K, Q3_K, Q6_K) or 32 (Q4_K, Q5_K), whose scales are
 * themselves codes. {@code w = d * scale * code - dmin * min} for Q2_K, Q4_K, Q5_K; {@code w = d * scale * code} for Q3_K,
 * Q6_K, with signed codes.
 *
 * <pre>
 *   0              16                              80     82     84
 *  +--------------+-------------------------------+------+------+
 *  | min | scale  | codes, 2 bits                 | d    | dmin |    Q2_K; a byte for each group: high | low half
 *  +--------------+-------------------------------+------+------+
 *   0              32                              96           108    110
 *  +--------------+-------------------------------+------------+------+
 *  | third bits   | codes, 2 bits                 | 6-bit scal.| d    |    Q3_K; code - 4, scale - 32
 *  +--------------+-------------------------------+------------+------+
 *   0      2      4                   16                         144
 *  +------+------+-------------------+--------------------------+
 *  | d    | dmin | 6-bit scales, mins| codes, 4 bits            |    Q4_K
 *  +------+------+-------------------+--------------------------+
 *   0      2      4                   16             48                         176
 *  +------+------+-------------------+--------------+--------------------------+
 *  | d    | dmin | 6-bit scales, mins| fifth bits   | codes, 4 bits            |    Q5_K
 *  +------+------+-------------------+--------------+--------------------------+
 *   0                          128                             192           208    210
 *  +--------------------------+-------------------------------+-------------+------+
 *  | codes, low 4 bits        | codes, high 2 bits            | scales      | d    |    Q6_K; code - 32, scales: signed bytes
 *  +--------------------------+-------------------------------+-------------+------+
 * </pre>
 *
 * Codes lie in stripes of 32 elements. Two bits (also the high ones of Q6_K): byte {@code b} of 32 holds element {@code b} of
 * four consecutive stripes, lowest bits first; 32 bytes serve 128 elements. Four bits of Q4_K and Q5_K: two consecutive
 * stripes, 32 bytes serve 64 elements. Low four bits of Q6_K: the first 32 bytes of 64 hold stripes 0 and 2, the others 1
 * and 3, of 128 elements. Single bits: bit {@code s} of byte {@code b} belongs to element {@code b} of stripe {@code s} of
 * eight.
 */
final class SuperBlocks {
    private static final int STRIPE = 32;

    private SuperBlocks() {}

    /** Element {@code i} of the Q2_K block at {@code block}. */
    static float q2(MemorySegment data, long block, int i) {
        int group = Halves.unsigned(data, block + i / 16);
        float scale = Halves.at(data, block + 80) * (group & 15);
        float min = Halves.at(data, block + 82) * (group >>> 4);
        return scale * twoBits(data, block + 16, i) - min;
    }

    /** Element {@code i} of the Q3_K block at {@code block}. */
    static float q3(MemorySegment data, long block, int i) {
        int code = twoBits(data, block + 32, i) | (bit(data, block, i) << 2);
        return Halves.at(data, block + 108) * q3Scale(data, block + 96, i / 16) * (code - 4);
    }

    /** Element {@code i} of the Q4_K block at {@code block}. */
    static float q4(MemorySegment data, long block, int i) {
        return withMinimum(data, block, i / STRIPE, fourBits(data, block + 16, i));
    }

    /** Element {@code i} of the Q5_K block at {@code block}. */
    static float q5(MemorySegment data, long block, int i) {
        int code = fourBits(data, block + 48, i) | (bit(data, block + 16, i) << 4);
        return withMinimum(data, block, i / STRIPE, code);
    }

    /** Element {@code i} of the Q6_K block at {@code block}. */
    static float q6(MemorySegment data, long block, int i) {
        int stripe = i / STRIPE;
        int byteOfLow = stripe / 4 * 64 + stripe % 2 * 32 + i % STRIPE;
        int low = (Halves.unsigned(data, block + byteOfLow) >>> (stripe / 2 % 2 * 4)) & 15;
        int code = low | (twoBits(data, block + 128, i) << 4);
        return Halves.at(data, block + 208) * data.get(ValueLayout.JAVA_BYTE, block + 192 + i / 16) * (code - 32);
    }

    private static float withMinimum(MemorySegment data, long block, int group, int code) {
        float scale = Halves.at(data, block) * scale(data, block + 4, group);
        float min = Halves.at(data, block + 2) * min(data, block + 4, group);
        return scale * code - min;
    }

    /**
     * The six bits of a group's scale. Of twelve bytes, the first four hold the scales of groups 0 to 3 in their low six
     * bits, the next four the mins; the last four hold the low four bits of scales (low half) and mins of groups 4 to 7,
     * whose high two bits are those of the first eight bytes.
     */
    static int scale(MemorySegment data, long scales, int group) {
        int own = Halves.unsigned(data, scales + group % 4);
        return group < 4 ? own & 63 : (Halves.unsigned(data, scales + 4 + group) & 15) | (own >>> 6 << 4);
    }

    /** The six bits of a group's minimum. */
    static int min(MemorySegment data, long scales, int group) {
        int own = Halves.unsigned(data, scales + 4 + group % 4);
        return group < 4 ? own & 63 : (Halves.unsigned(data, scales + 4 + group) >>> 4) | (own >>> 6 << 4);
    }

    /**
     * The scale of a group of Q3_K. Of twelve bytes, the first eight hold the low four bits of groups 0 to 7 (low half) and 8
     * to 15; the last four hold the high two bits of groups {@code b}, {@code b + 4}, {@code b + 8}, {@code b + 12}.
     */
    static int q3Scale(MemorySegment data, long scales, int group) {
        int low = (Halves.unsigned(data, scales + group % 8) >>> (group / 8 * 4)) & 15;
        int high = (Halves.unsigned(data, scales + 8 + group % 4) >>> (group / 4 * 2)) & 3;
        return (low | (high << 4)) - 32;
    }

    private static int bit(MemorySegment data, long bits, int i) {
        return (Halves.unsigned(data, bits + i % STRIPE) >>> (i / STRIPE)) & 1;
    }

    private static int twoBits(MemorySegment data, long codes, int i) {
        int index = i / 128 * STRIPE + i % STRIPE;
        return (Halves.unsigned(data, codes + index) >>> (i / STRIPE % 4 * 2)) & 3;
    }

    private static int fourBits(MemorySegment data, long codes, int i) {
        int index = i / 64 * STRIPE + i % STRIPE;
        return (Halves.unsigned(data, codes + index) >>> (i / STRIPE % 2 * 4)) & 15;
    }
}
