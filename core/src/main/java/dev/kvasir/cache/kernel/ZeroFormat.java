package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.BYTE;
import static dev.kvasir.cache.kernel.PackedLayout.SHORT;

import java.lang.foreign.MemorySegment;

/** How the zero of a group, what is added to scale * level, is stored. */
public enum ZeroFormat {
    /** Not at all: it follows from the quantizer's offset (the code that means 0). */
    NONE(0),
    /** The number added, as F16: for linear codes the value of code 0. */
    F16(2),
    /** The code z that means 0, as a fractional F16: value = scale * (code - z) (QServe, arXiv 2405.04532). */
    F16_CODE(2),
    /** The code z that means 0, as a signed byte; it may lie outside the codes: value = scale * (code - z) (RotateKV, arXiv 2501.16383). */
    INT8_CODE(1);

    private final int bytes;

    ZeroFormat(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes of one zero. */
    public int bytes() {
        return bytes;
    }

    /** Whether a code is stored that means 0, not a number. */
    public boolean isCode() {
        return this == F16_CODE || this == INT8_CODE;
    }

    /** What a stored {@code value} is read back as; for {@link #NONE} the value itself, which is then known elsewhere. */
    public float round(float value) {
        return switch (this) {
            case NONE -> value;
            case F16, F16_CODE -> Element.F16.round(value);
            case INT8_CODE -> (float) Math.rint(Math.clamp(value, -127f, 127f));
        };
    }

    void set(MemorySegment page, long offset, float value) {
        switch (this) {
            case NONE -> {}
            case F16, F16_CODE -> page.set(SHORT, offset, Element.f16(value));
            case INT8_CODE -> page.set(BYTE, offset, (byte) round(value));
        }
    }

    float get(MemorySegment page, long offset) {
        return switch (this) {
            case NONE -> 0;
            case F16, F16_CODE -> Float.float16ToFloat(page.get(SHORT, offset));
            case INT8_CODE -> page.get(BYTE, offset);
        };
    }
}
