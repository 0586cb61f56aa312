package dev.kvasir.cache.kernel;

import java.util.Arrays;

/**
 * How a group of numbers becomes codes: where scale and zero come from, how they are stored, what a code means, how it is
 * rounded.
 *
 * <p>A code means {@code scale * level[code] + zero}. Levels are the codes themselves (linear) or a codebook of up to 16
 * numbers. Each of scale and zero is stored in a format of its own, or not at all. Instances are compared by identity.
 *
 * <table>
 *   <caption>Quantizers</caption>
 *   <tr><td>{@link #MIN_MAX}<td>F16 minimum and step, any bits
 *   <tr><td>{@link #nested}<td>F16 minimum and step of a coarser grid
 *   <tr><td>{@link #Q8_0} {@link #Q5_0} {@link #Q4_0} {@link #Q5_1} {@link #Q4_1} {@link #IQ4_NL}<td>the block types of ggml
 *   <tr><td>{@link #symmetric}<td>F16 step, signed codes
 *   <tr><td>{@link #blockFloat}<td>shared exponent
 *   <tr><td>{@link #QSERVE}<td>F16 step and fractional zero code
 *   <tr><td>{@link #rotate}<td>FP8 or F16 step and integer zero code
 *   <tr><td>{@link #SIGN}, {@link #ternary}<td>one bit, one trit
 *   <tr><td>{@link #codebook}, {@link #linear}<td>the caller's own scales and zeros
 * </table>
 */
public final class Quantizer {
    /** Where a group's scale and zero come from. */
    enum Rule {
        MIN_MAX,
        NESTED,
        GGML_EXTREME,
        GGML_RANGE,
        GGML_CODEBOOK,
        SYMMETRIC,
        BLOCK_FLOAT,
        QSERVE,
        ROTATE,
        MEAN,
        TERNARY,
        GIVEN
    }

    /** How x becomes a code, with s and z the encoding scale and zero of {@link GroupFit}. */
    enum Rounding {
        /** rint((x - z) / s). */
        EVEN,
        /** rint(x / s + z). */
        EVEN_SHIFTED,
        /** rint(x / s) + z. */
        EVEN_OFFSET,
        /** trunc((x - z) * s + offset + 1/2): s is an inverse. */
        TRUNCATED,
        /** round-half-away(x * s) + offset: s is an inverse. */
        HALF_AWAY,
        /** The nearest level to (x - z) / s, or to (x - z) * s where s is an inverse. */
        NEAREST,
        /** 0 below -s, 2 above s, else 1. */
        THRESHOLD
    }

    private static final float[] NO_LEVELS = {};

    /**
     * zero = minimum, scale = (maximum - minimum) / (2^bits - 1), both rounded to F16 before the codes are made; code =
     * round-half-even((x - zero) / scale) (KIVI, arXiv 2402.02750).
     */
    public static final Quantizer MIN_MAX = new Traits("MIN_MAX", Rule.MIN_MAX, Rounding.EVEN)
            .formats(ScaleFormat.F16, ZeroFormat.F16)
            .make();

    /** ggml's q8_0 with its reference rounding: codes are made with the F32 scale, which is rounded only when stored. */
    public static final Quantizer Q8_0 = new Traits("Q8_0", Rule.GGML_EXTREME, Rounding.HALF_AWAY)
            .bits(8)
            .offset(128)
            .make();

    /** ggml's q4_0, as {@link #Q8_0}. */
    public static final Quantizer Q4_0 = new Traits("Q4_0", Rule.GGML_EXTREME, Rounding.TRUNCATED)
            .bits(4)
            .offset(8)
            .make();

    /** ggml's q5_0, as {@link #Q8_0}. */
    public static final Quantizer Q5_0 = new Traits("Q5_0", Rule.GGML_EXTREME, Rounding.TRUNCATED)
            .bits(5)
            .offset(16)
            .make();

    /** ggml's q4_1: F16 scale and minimum, as {@link #Q8_0}. */
    public static final Quantizer Q4_1 = new Traits("Q4_1", Rule.GGML_RANGE, Rounding.TRUNCATED)
            .bits(4)
            .formats(ScaleFormat.F16, ZeroFormat.F16)
            .make();

    /** ggml's q5_1: F16 scale and minimum, as {@link #Q8_0}. */
    public static final Quantizer Q5_1 = new Traits("Q5_1", Rule.GGML_RANGE, Rounding.TRUNCATED)
            .bits(5)
            .formats(ScaleFormat.F16, ZeroFormat.F16)
            .make();

    /**
     * ggml's iq4_nl: a fixed codebook; codes are made with scale = extreme / -127, then the stored scale is the least-squares
     * fit with weights x^2 (quantize_row_iq4_nl_ref, which is what llama.cpp writes into its caches: no scale search).
     */
    public static final Quantizer IQ4_NL = new Traits("IQ4_NL", Rule.GGML_CODEBOOK, Rounding.NEAREST)
            .levels(new float[] {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113})
            .tiesUp()
            .make();

    /**
     * s = (max - min) / (2^bits - 1), z = -min / s kept fractional, both F16; code = round-half-even(x / s + z), clamped
     * (QServe, arXiv 2405.04532). A constant group keeps its value.
     */
    public static final Quantizer QSERVE = new Traits("QSERVE", Rule.QSERVE, Rounding.EVEN_SHIFTED)
            .formats(ScaleFormat.F16, ZeroFormat.F16_CODE)
            .make();

    /** One bit, value = ±s with s = mean |x| as F16; 0 counts as positive (VidKV, arXiv 2503.16257). */
    public static final Quantizer SIGN = new Traits("SIGN", Rule.MEAN, Rounding.NEAREST)
            .levels(new float[] {-1, 1})
            .tiesUp()
            .make();

    /** As {@link #SIGN}, but what is negative becomes 0: VidKV's formula to the letter, which is biased. */
    public static final Quantizer SIGN_OR_ZERO = new Traits("SIGN_OR_ZERO", Rule.MEAN, Rounding.NEAREST)
            .levels(new float[] {-1, 1})
            .tiesUp()
            .decodeLevels(new float[] {0, 1})
            .make();

    private final String name;
    private final Rule rule;
    private final Rounding rounding;
    private final int bits;
    private final float offset;
    private final int lowest;
    private final float step;
    private final float constant;
    private final ScaleFormat scaleFormat;
    private final ZeroFormat zeroFormat;
    /** A code is how many of these x exceeds. */
    private final float[] borders;
    /** What codes mean: 16 numbers, or none for linear codes. */
    private final float[] levels;

    private final float[] patterns;
    private final float[] repeated;

    Quantizer(Traits traits) {
        name = traits.name;
        rule = traits.rule;
        rounding = traits.rounding;
        bits = traits.bits;
        offset = traits.offset;
        lowest = traits.lowest;
        step = traits.step;
        constant = traits.constant;
        scaleFormat = traits.scaleFormat;
        zeroFormat = traits.zeroFormat;
        borders = traits.borders;
        levels = traits.levels;
        repeated = levels.length == 0 || bits != 3 ? NO_LEVELS : twice(levels);
        patterns = levels.length == 0 || bits == 3 ? NO_LEVELS : patterns(levels, bits);
    }

    /** Signed codes of 2 to 8 bits, -(2^(bits-1) - 1) to 2^(bits-1) - 1, F16 scale = max |x| / (2^(bits-1) - 1); rounded half to even. */
    public static Quantizer symmetric(int bits) {
        check(bits >= 2 && bits <= 8, bits + " bits, symmetric: 2 to 8");
        return new Traits("symmetric(" + bits + ")", Rule.SYMMETRIC, Rounding.EVEN_OFFSET)
                .bits(bits)
                .offset(1 << (bits - 1))
                .lowest(1)
                .make();
    }

    /**
     * Block floating point: signed mantissas of {@code bits} bits that share one exponent byte, that of the largest element;
     * step = 2^(E - (bits - 2)), rounded half to even, clipped to the symmetric range (arXiv 2403.20137).
     */
    public static Quantizer blockFloat(int bits) {
        check(bits >= 2 && bits <= 8, bits + " mantissa bits, block floating point: 2 to 8");
        return new Traits("blockFloat(" + bits + ")", Rule.BLOCK_FLOAT, Rounding.EVEN_OFFSET)
                .bits(bits)
                .offset(1 << (bits - 1))
                .lowest(1)
                .step(Math.scalb(1f, 2 - bits))
                .formats(ScaleFormat.E8M0, ZeroFormat.NONE)
                .make();
    }

    /**
     * RotateKV's group quantizer (arXiv 2501.16383): s = clip * (max - min) / (2^bits - 1), z = rint(-clip * min / s) as a signed
     * byte, code = clamp(rint(x / s) + z); s is enlarged until z fits. A constant group keeps its value.
     *
     * @param clip what minimum and maximum are multiplied by, in (0, 1]
     * @param scaleFormat F16 or E4M3; codes are made with the stored scale
     */
    public static Quantizer rotate(float clip, ScaleFormat scaleFormat) {
        check(clip > 0 && clip <= 1, "clip " + clip + ": above 0, at most 1");
        check(scaleFormat == ScaleFormat.F16 || scaleFormat == ScaleFormat.E4M3, scaleFormat + " scale: F16 or E4M3");
        return new Traits("rotate(" + clip + ", " + scaleFormat + ")", Rule.ROTATE, Rounding.EVEN_OFFSET)
                .constant(clip)
                .formats(scaleFormat, ZeroFormat.INT8_CODE)
                .make();
    }

    /**
     * One trit: -s, 0 or s; what is at most gamma * mean |x| becomes 0, s is the mean of the others' |x| as F16 (VidKV, arXiv
     * 2503.16257).
     */
    public static Quantizer ternary(float gamma) {
        check(gamma >= 0 && gamma <= 1, "gamma " + gamma + ": 0 to 1");
        return new Traits("ternary(" + gamma + ")", Rule.TERNARY, Rounding.THRESHOLD)
                .bits(PackedLayout.TRITS)
                .offset(1)
                .constant(gamma)
                .make();
    }

    /**
     * A codebook whose scales and zeros the caller gives ({@link Kernels#packGiven}): code = nearest level to (x - zero) / scale,
     * ties to the lower.
     *
     * @param levels 2 to 16 numbers, ascending
     * @param decodeLevels what the codes mean; as many (KVQuant's Q-Norm decodes with others than it encodes with)
     */
    public static Quantizer codebook(
            float[] levels, float[] decodeLevels, ScaleFormat scaleFormat, ZeroFormat zeroFormat) {
        check(levels.length >= 2 && levels.length <= 16, levels.length + " levels: 2 to 16");
        check(
                levels.length == decodeLevels.length,
                decodeLevels.length + " decode levels, " + levels.length + " levels");
        check(!zeroFormat.isCode(), zeroFormat + " zero of a codebook: NONE or F16");
        for (int i = 1; i < levels.length; i++) {
            check(levels[i - 1] < levels[i], "levels must ascend: " + levels[i - 1] + ", " + levels[i]);
        }
        return new Traits("codebook(" + levels.length + ")", Rule.GIVEN, Rounding.NEAREST)
                .levels(levels)
                .decodeLevels(decodeLevels)
                .formats(scaleFormat, zeroFormat)
                .make();
    }

    /** Linear codes of any width whose scales and zeros the caller gives ({@link Kernels#packGiven}), rounded half to even. */
    public static Quantizer linear(ScaleFormat scaleFormat, ZeroFormat zeroFormat) {
        return new Traits(
                        "linear(" + scaleFormat + ", " + zeroFormat + ")",
                        Rule.GIVEN,
                        zeroFormat.isCode() ? Rounding.EVEN_SHIFTED : Rounding.EVEN)
                .formats(scaleFormat, zeroFormat)
                .make();
    }

    /**
     * As {@link #MIN_MAX} on a grid that refines the one of {@code coarsest} bits: what is stored is the coarsest step, {@code (max
     * - min) / (2^coarsest - 1)}, and a code means {@code zero + scale * step * code} with {@code step = (2^coarsest - 1) / (2^bits -
     * 1)}. Codes can so be {@linkplain Kernels#stepDown stepped down} while their parameters stay, and nothing is rounded twice.
     */
    public static Quantizer nested(int bits, int coarsest) {
        check(
                coarsest >= 1 && bits >= coarsest && bits <= 8,
                bits + " bits nested in " + coarsest + ": 1 to 8, falling");
        float most = (1 << coarsest) - 1;
        return new Traits("nested(" + bits + ", " + coarsest + ")", Rule.NESTED, Rounding.EVEN)
                .bits(bits)
                .step(most / ((1 << bits) - 1))
                .constant(most)
                .formats(ScaleFormat.F16, ZeroFormat.F16)
                .make();
    }

    private static void check(boolean good, String problem) {
        if (!good) {
            throw new IllegalArgumentException(problem);
        }
    }

    /** For each field of {@code width} bits of four bits, what it means for each of their 16 values: {@code [4 / width][16]}. */
    static float[] patterns(float[] levels, int width) {
        float[] patterns = new float[64 / width];
        for (int i = 0; i < patterns.length; i++) {
            patterns[i] = levels[((i % 16) >>> (i / 16 * width)) & ((1 << width) - 1)];
        }
        return patterns;
    }

    private static float[] twice(float[] levels) {
        float[] twice = Arrays.copyOf(levels, 16);
        System.arraycopy(levels, 0, twice, 8, 8);
        return twice;
    }

    /** Bits of a code, or {@link PackedLayout#TRITS}; 0 where the layout decides. */
    public int bits() {
        return bits;
    }

    /** How scales are stored. */
    public ScaleFormat scaleFormat() {
        return scaleFormat;
    }

    /** How zeros are stored. */
    public ZeroFormat zeroFormat() {
        return zeroFormat;
    }

    /** Bytes of a group's parameters. */
    public int parameterBytes() {
        return scaleFormat.bytes() + zeroFormat.bytes();
    }

    /** Whether codes are numbers of a codebook. */
    public boolean isCodebook() {
        return levels.length > 0;
    }

    /** The code that means 0, where no zero is stored. */
    float offset() {
        return offset;
    }

    /** The lowest code that is made. */
    int lowest() {
        return lowest;
    }

    /** What a stored scale is multiplied by. */
    float step() {
        return step;
    }

    /** The clip of {@link #rotate}, the gamma of {@link #ternary}, the coarsest code of {@link #nested}. */
    float constant() {
        return constant;
    }

    Rule rule() {
        return rule;
    }

    Rounding rounding() {
        return rounding;
    }

    /** Whether codes are made with the inverse of the scale. */
    boolean inverse() {
        return switch (rule) {
            case GGML_EXTREME, GGML_RANGE, GGML_CODEBOOK -> true;
            default -> false;
        };
    }

    /** What x must exceed to get a code above 0, 1, ...; nobody writes to it. */
    float[] borders() {
        return borders;
    }

    /** The 16 numbers codes mean, none for linear codes; nobody writes to it. */
    float[] levels() {
        return levels;
    }

    /** {@link #patterns(float[], int)} of a codebook of 1, 2 or 4 bits; nobody writes to it. */
    float[] patterns() {
        return patterns;
    }

    /** The 8 levels of a codebook of 3 bits twice, so that the fourth bit of an index does not matter; else none. */
    float[] repeated() {
        return repeated;
    }

    /** What a code means before scale and zero. */
    float level(int code) {
        return isCodebook() ? levels[code] : code;
    }

    /** The code of one number; scale and zero are the encoding ones of {@link GroupFit}. */
    int code(float x, float scale, float zero, int most) {
        if (rounding == Rounding.THRESHOLD) {
            return x > scale ? 2 : x < -scale ? 0 : 1;
        }
        float moved = rounding == Rounding.EVEN_SHIFTED || rounding == Rounding.EVEN_OFFSET ? x : x - zero;
        float scaled = scale == 0 ? 0 : inverse() ? moved * scale : moved / scale;
        return switch (rounding) {
            case EVEN -> (int) Math.clamp(Math.rint((double) scaled), 0, most);
            case EVEN_SHIFTED -> (int) Math.clamp(Math.rint((double) (scaled + zero)), 0, most);
            case EVEN_OFFSET -> (int) Math.clamp(Math.rint((double) scaled) + zero, lowest, most);
            case TRUNCATED -> Math.clamp((int) (scaled + (offset + 0.5f)), 0, most);
            case HALF_AWAY -> Math.clamp(roundHalfAway(scaled) + (int) offset, 0, most);
            default -> nearest(scaled);
        };
    }

    private int nearest(float x) {
        int code = 0;
        for (float border : borders) {
            code += x > border ? 1 : 0;
        }
        return code;
    }

    /** C's roundf: ties away from zero. */
    private static int roundHalfAway(float x) {
        int magnitude = (int) (Math.abs((double) x) + 0.5);
        return x < 0 ? -magnitude : magnitude;
    }

    @Override
    public String toString() {
        return name;
    }
}
