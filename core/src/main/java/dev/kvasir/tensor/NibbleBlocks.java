package dev.kvasir.tensor;

import java.lang.foreign.MemorySegment;

/**
 * The types of ggml with blocks of 32 codes of four bits: Q4_0, {@code w = d * (code - 8)}; Q4_1, {@code w = d * code + m};
 * IQ4_NL, {@code w = d * LEVELS[code]}.
 *
 * <pre>
 *   0      2                                  18
 *  +------+----------+----------+-- - --+----------+
 *  | d    | c16 | c0 | c17 | c1 |       | c31 | c15|    Q4_0, IQ4_NL; d: F16; each byte: high half | low half
 *  +------+----------+----------+-- - --+----------+
 *
 *   0      2      4                                  20
 *  +------+------+----------+----------+-- - --+----------+
 *  | d    | m    | c16 | c0 | c17 | c1 |       | c31 | c15|    Q4_1; d, m: F16
 *  +------+------+----------+----------+-- - --+----------+
 * </pre>
 */
final class NibbleBlocks {
    /** What the codes of IQ4_NL mean: closer together around 0. */
    private static final float[] LEVELS = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

    /** What those of Q4_0 mean. */
    private static final float[] LINEAR = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};

    private NibbleBlocks() {}

    /** What the 16 codes of Q4_0 mean; nobody writes to it. */
    static float[] linear() {
        return LINEAR;
    }

    /** What the 16 codes of IQ4_NL mean; nobody writes to it. */
    static float[] levels() {
        return LEVELS;
    }

    /** Element {@code i} of the Q4_0 block at {@code block}. */
    static float q4(MemorySegment data, long block, int i) {
        return Halves.at(data, block) * (code(data, block + 2, i) - 8);
    }

    /** Element {@code i} of the Q4_1 block at {@code block}. */
    static float q4WithMinimum(MemorySegment data, long block, int i) {
        return Halves.at(data, block) * code(data, block + 4, i) + Halves.at(data, block + 2);
    }

    /** Element {@code i} of the IQ4_NL block at {@code block}. */
    static float iq4(MemorySegment data, long block, int i) {
        return Halves.at(data, block) * LEVELS[code(data, block + 2, i)];
    }

    private static int code(MemorySegment data, long codes, int i) {
        return (Halves.unsigned(data, codes + i % 16) >>> (i / 16 * 4)) & 15;
    }
}
