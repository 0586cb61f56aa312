package dev.kvasir.tensor;

import java.lang.foreign.MemorySegment;

/**
 * The types of ggml with blocks of 32 codes of five bits: Q5_0, {@code w = d * (code - 16)}; Q5_1, {@code w = d * code + m}.
 *
 * <pre>
 *   0      2            6                                  22
 *  +------+------------+----------+----------+-- - --+----------+
 *  | d    | fifth bits | c16 | c0 | c17 | c1 |       | c31 | c15|    Q5_0; d: F16; bit i of the four bytes: code i
 *  +------+------------+----------+----------+-- - --+----------+
 *
 *   0      2      4            8                                  24
 *  +------+------+------------+----------+----------+-- - --+----------+
 *  | d    | m    | fifth bits | c16 | c0 | c17 | c1 |       | c31 | c15|    Q5_1; d, m: F16
 *  +------+------+------------+----------+----------+-- - --+----------+
 * </pre>
 */
final class FiveBitBlocks {
    private FiveBitBlocks() {}

    /** Element {@code i} of the Q5_0 block at {@code block}. */
    static float q5(MemorySegment data, long block, int i) {
        return Halves.at(data, block) * (code(data, block + 2, i) - 16);
    }

    /** Element {@code i} of the Q5_1 block at {@code block}. */
    static float q5WithMinimum(MemorySegment data, long block, int i) {
        return Halves.at(data, block) * code(data, block + 4, i) + Halves.at(data, block + 2);
    }

    private static int code(MemorySegment data, long bits, int i) {
        int low = (Halves.unsigned(data, bits + 4 + i % 16) >>> (i / 16 * 4)) & 15;
        int high = (Halves.unsigned(data, bits + i / 8) >>> (i % 8)) & 1;
        return low | (high << 4);
    }
}
