package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.BYTE;
import static dev.kvasir.cache.kernel.PackedLayout.SHORT;

import java.lang.foreign.MemorySegment;

/** How the scale of a group is stored. */
public enum ScaleFormat {
    /** Not at all: the scale is 1. */
    NONE(0),
    F16(2),
    /** One byte, the exponent of a power of two plus 127, 1 to 254 (OCP Microscaling formats, E8M0). */
    E8M0(1),
    /** One byte: sign, 4 exponent bits, 3 mantissa bits; up to 448 (OCP FP8, E4M3). */
    E4M3(1);

    private static final float E4M3_MAX = 448f;

    private final int bytes;

    ScaleFormat(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes of one scale. */
    public int bytes() {
        return bytes;
    }

    /** What a stored {@code value} is read back as; for {@link #NONE} the value itself, which is then known elsewhere. */
    public float round(float value) {
        return this == NONE ? value : decode(encode(value));
    }

    /**
     * The bits of {@code value}: the nearest, ties to even, except E8M0, which rounds toward 0 as an exponent field does. What is
     * too large becomes the largest finite number.
     */
    int encode(float value) {
        return switch (this) {
            case NONE -> 0;
            case F16 -> Element.f16(value) & 0xffff;
            case E8M0 -> Math.clamp((Float.floatToRawIntBits(value) >>> 23) & 255, 1, 254);
            case E4M3 -> {
                // F32's bits with the exponent's bias corrected; the multiplication rounds subnormals, the shift the
                // others.
                float magnitude = Math.min(Math.abs(value), E4M3_MAX);
                int sign = value < 0 ? 0x80 : 0;
                if (magnitude < 0x1p-6f) {
                    yield sign | (int) Math.rint(magnitude * 0x1p9);
                }
                int bits = Float.floatToRawIntBits(magnitude) - (120 << 23);
                yield sign | ((bits + 0x7ffff + ((bits >>> 20) & 1)) >>> 20);
            }
        };
    }

    /** The number that bits stand for. */
    float decode(int bits) {
        return switch (this) {
            case NONE -> 1;
            case F16 -> Float.float16ToFloat((short) bits);
            case E8M0 -> Float.intBitsToFloat(bits << 23);
            case E4M3 -> {
                float magnitude = Float.intBitsToFloat((bits & 0x7f) << 20) * 0x1p120f;
                yield (bits & 0x80) == 0 ? magnitude : -magnitude;
            }
        };
    }

    /** The smallest positive number of this format above {@code value}, which is of this format too; the largest stays. */
    float next(float value) {
        int bits = encode(value);
        return switch (this) {
            case NONE -> Math.nextUp(value);
            case F16 -> decode(Math.min(bits + 1, 0x7bff));
            case E8M0 -> decode(Math.min(bits + 1, 254));
            case E4M3 -> decode(Math.min(bits + 1, 0x7e));
        };
    }

    void set(MemorySegment page, long offset, float value) {
        switch (bytes) {
            case 1 -> page.set(BYTE, offset, (byte) encode(value));
            case 2 -> page.set(SHORT, offset, (short) encode(value));
            default -> {}
        }
    }

    float get(MemorySegment page, long offset) {
        return switch (bytes) {
            case 1 -> decode(page.get(BYTE, offset) & 0xff);
            case 2 -> decode(page.get(SHORT, offset));
            default -> 1;
        };
    }
}
