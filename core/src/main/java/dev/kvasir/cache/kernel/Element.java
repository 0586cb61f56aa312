package dev.kvasir.cache.kernel;

import java.lang.foreign.MemorySegment;

/** The element types of exact stores and residual windows. */
public enum Element {
    F32(4),
    BF16(2),
    F16(2);

    /** The largest finite F16; larger magnitudes are stored as this one, never as infinity. */
    static final float F16_MAX = 65504f;

    private final int bytes;

    Element(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes of one element. */
    public int bytes() {
        return bytes;
    }

    /** The name used in cache specs: {@code f32}, {@code bf16}, {@code f16}. */
    public String text() {
        return switch (this) {
            case F32 -> "f32";
            case BF16 -> "bf16";
            case F16 -> "f16";
        };
    }

    /** The element type of a spec's text, which must be one of {@link #text}. */
    public static Element of(String text) {
        for (Element element : values()) {
            if (element.text().equals(text)) {
                return element;
            }
        }
        throw new IllegalArgumentException("element type " + text);
    }

    /** The nearest value this type can hold, ties to even. */
    public float round(float value) {
        return switch (this) {
            case F32 -> value;
            case BF16 -> Float.intBitsToFloat(bf16(value) << 16);
            case F16 -> Float.float16ToFloat(f16(value));
        };
    }

    /** Rounds {@code count} values in place, as {@link #round(float)}. */
    public void round(float[] values, int offset, int count) {
        switch (this) {
            case F32 -> {}
            case BF16 -> {
                for (int i = offset; i < offset + count; i++) {
                    values[i] = Float.intBitsToFloat(bf16(values[i]) << 16);
                }
            }
            case F16 -> {
                for (int i = offset; i < offset + count; i++) {
                    values[i] = Float.float16ToFloat(f16(values[i]));
                }
            }
        }
    }

    /** Writes one element to a page. */
    public void set(MemorySegment page, long byteOffset, float value) {
        switch (this) {
            case F32 -> page.set(PackedLayout.FLOAT, byteOffset, value);
            case BF16 -> page.set(PackedLayout.SHORT, byteOffset, bf16(value));
            case F16 -> page.set(PackedLayout.SHORT, byteOffset, f16(value));
        }
    }

    /** Reads one element of a page. */
    public float get(MemorySegment page, long byteOffset) {
        return switch (this) {
            case F32 -> page.get(PackedLayout.FLOAT, byteOffset);
            case BF16 -> Float.intBitsToFloat(page.get(PackedLayout.SHORT, byteOffset) << 16);
            case F16 -> Float.float16ToFloat(page.get(PackedLayout.SHORT, byteOffset));
        };
    }

    /** The bits of {@code value} as F16: ties to even, magnitudes above 65504 become 65504. */
    static short f16(float value) {
        return Float.floatToFloat16(Math.clamp(value, -F16_MAX, F16_MAX));
    }

    /** The bits of {@code value} as BF16, ties to even. */
    static short bf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
    }
}
