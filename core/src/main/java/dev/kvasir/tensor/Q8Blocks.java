package dev.kvasir.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Q8_0 of ggml: blocks of 32 bytes that share a scale, {@code w = d * code}.
 *
 * <pre>
 *   0      2                                34
 *  +------+--------+--------+-- - --+--------+
 *  | d    | code 0 | code 1 |       | code 31|    d: F16; codes: signed bytes
 *  +------+--------+--------+-- - --+--------+
 * </pre>
 */
final class Q8Blocks {
    private static final int CODES = 2;

    private Q8Blocks() {}

    /** Element {@code i} of the block at {@code block}. */
    static float value(MemorySegment data, long block, int i) {
        return Halves.at(data, block) * data.get(ValueLayout.JAVA_BYTE, block + CODES + i);
    }
}
