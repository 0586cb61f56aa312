package dev.kvasir.cache.kernel;

/**
 * How a group of numbers becomes codes: what the scale is made from, what a code means, how it is rounded.
 *
 * <ul>
 *   <li>{@link #MIN_MAX}: zero = minimum, scale = (maximum - minimum) / (2^bits - 1), both rounded to F16 before the codes
 *       are made; code = round-half-even((x - zero) / scale) (KIVI, arXiv 2402.02750).
 *   <li>{@link #Q8_0}, {@link #Q4_0}, {@link #Q5_0}: the block types of ggml, with its reference rounding: the codes are
 *       made with the scale in F32, which is rounded to F16 only when stored. x = scale * (code - offset).
 * </ul>
 */
public enum Quantizer {
    MIN_MAX(0, 0),
    Q8_0(8, 128),
    Q4_0(4, 8),
    Q5_0(5, 16);

    private final int bits;
    private final int offset;

    Quantizer(int bits, int offset) {
        this.bits = bits;
        this.offset = offset;
    }

    /** Whether a zero is stored beside each scale. */
    public boolean hasZero() {
        return this == MIN_MAX;
    }

    /** Bits of a code; 0 where the layout decides. */
    public int bits() {
        return bits;
    }

    /** The code that means 0; only where no zero is stored. */
    public int offset() {
        return offset;
    }

    /** The scale of a group as a number, before it is rounded to F16. {@code extreme} has the largest magnitude. */
    float scale(float min, float max, float extreme, int codeBits) {
        return switch (this) {
            case MIN_MAX -> (max - min) / ((1 << codeBits) - 1);
            case Q8_0 -> Math.abs(extreme) / 127f;
            case Q4_0 -> extreme / -8f;
            case Q5_0 -> extreme / -16f;
        };
    }

    /**
     * The code of one number.
     *
     * @param scale as stored for MIN_MAX, the inverse of the unrounded scale (0 for an empty range) for the block types
     */
    int code(float x, float scale, float zero, int codeBits) {
        return switch (this) {
            case MIN_MAX ->
                scale == 0f ? 0 : (int) Math.clamp(Math.rint((double) ((x - zero) / scale)), 0.0, (1 << codeBits) - 1);
            case Q8_0 -> Math.clamp(roundHalfAway(x * scale), -128, 127) + 128;
            case Q4_0 -> Math.clamp((int) (x * scale + 8.5f), 0, 15);
            case Q5_0 -> Math.clamp((int) (x * scale + 16.5f), 0, 31);
        };
    }

    /** C's roundf: ties away from zero. */
    private static int roundHalfAway(float x) {
        int magnitude = (int) (Math.abs((double) x) + 0.5);
        return x < 0 ? -magnitude : magnitude;
    }
}
