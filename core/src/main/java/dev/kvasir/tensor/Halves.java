package dev.kvasir.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The two-byte numbers of packed weights, little endian and unaligned. */
final class Halves {
    static final ValueLayout.OfShort LAYOUT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Halves() {}

    /** The F16 at {@code offset}. */
    static float at(MemorySegment data, long offset) {
        return Float.float16ToFloat(data.get(LAYOUT, offset));
    }

    /** The byte at {@code offset}, 0 to 255. */
    static int unsigned(MemorySegment data, long offset) {
        return data.get(ValueLayout.JAVA_BYTE, offset) & 0xff;
    }
}
