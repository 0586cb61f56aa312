package dev.kvasir.cache.kernel;

import dev.kvasir.cache.kernel.Quantizer.Rule;

/**
 * The scale and zero of a group, four numbers in an array:
 *
 * <pre>
 *   SCALE   what is stored as the scale, before it is rounded to its format
 *   ZERO    what is stored as the zero, likewise
 *   BY      what codes are made with: the stored scale, or the inverse of the unrounded one, see {@link Quantizer.Rounding}
 *   FROM    what is taken off or added when codes are made
 * </pre>
 */
final class GroupFit {
    static final int SCALE = 0;
    static final int ZERO = 1;
    static final int BY = 2;
    static final int FROM = 3;
    static final int SIZE = 4;

    /** ggml's GROUP_MAX_EPS: a block whose magnitudes stay below is all zeros. */
    private static final float GGML_ZERO = 1e-15f;

    private GroupFit() {}

    /** Whether minimum, maximum and extreme are all that a rule wants to know of a group. */
    static boolean byRange(Rule rule) {
        return switch (rule) {
            case MEAN, TERNARY, GGML_CODEBOOK -> false;
            default -> true;
        };
    }

    /** Fits the {@code count} numbers from {@code first} on, {@code stride} apart. */
    static void fit(Quantizer quantizer, int most, float[] in, int first, int stride, int count, float[] out, int at) {
        switch (quantizer.rule()) {
            case MEAN -> set(out, at, meanMagnitude(in, first, stride, count, -1), 0, 1, 0);
            case TERNARY -> {
                float border = quantizer.constant() * meanMagnitude(in, first, stride, count, -1);
                set(out, at, meanMagnitude(in, first, stride, count, border), 0, border, 0);
            }
            case GGML_CODEBOOK -> ggmlCodebook(quantizer, in, first, stride, count, out, at);
            default -> {
                float min = in[first];
                float max = in[first];
                float extreme = in[first];
                for (int i = 1; i < count; i++) {
                    float value = in[first + i * stride];
                    min = Math.min(min, value);
                    max = Math.max(max, value);
                    extreme = Math.abs(value) > Math.abs(extreme) ? value : extreme;
                }
                fit(quantizer, most, min, max, extreme, out, at);
            }
        }
    }

    /** Fits a group by its range; {@code extreme} is the first of its numbers of largest magnitude. */
    static void fit(Quantizer quantizer, int most, float min, float max, float extreme, float[] out, int at) {
        switch (quantizer.rule()) {
            case MIN_MAX -> {
                float scale = (max - min) / most;
                set(out, at, scale, min, Element.F16.round(scale), Element.F16.round(min));
            }
            case NESTED -> {
                float scale = (max - min) / quantizer.constant();
                set(out, at, scale, min, Element.F16.round(scale) * quantizer.step(), Element.F16.round(min));
            }
            case GGML_EXTREME -> {
                float scale = quantizer == Quantizer.Q8_0 ? Math.abs(extreme) / 127f : extreme / -quantizer.offset();
                set(out, at, scale, 0, scale == 0 ? 0 : 1 / scale, 0);
            }
            case GGML_RANGE -> {
                float scale = (max - min) / most;
                set(out, at, scale, min, scale == 0 ? 0 : 1 / scale, min);
            }
            case SYMMETRIC -> {
                float scale = Element.F16.round(Math.abs(extreme) / (quantizer.offset() - 1));
                set(out, at, scale, 0, scale, quantizer.offset());
            }
            case BLOCK_FLOAT -> {
                float scale = ScaleFormat.E8M0.round(Math.abs(extreme));
                set(out, at, scale, 0, scale * quantizer.step(), quantizer.offset());
            }
            case QSERVE -> qserve(min, max, most, out, at);
            case ROTATE -> rotate(quantizer, min, max, most, out, at);
            default -> throw new IllegalArgumentException(quantizer + " has no scales of its own: packGiven");
        }
    }

    /** What codes are made with when the caller gives scale and zero. */
    static void given(Quantizer quantizer, float scale, float zero, float[] out, int at) {
        float rounded = quantizer.scaleFormat().round(scale) * quantizer.step();
        float by = quantizer.inverse() ? rounded == 0 ? 0 : 1 / rounded : rounded;
        boolean signed =
                quantizer.zeroFormat() == ZeroFormat.NONE && quantizer.rounding() == Quantizer.Rounding.EVEN_OFFSET;
        float from = signed ? quantizer.offset() : quantizer.zeroFormat().round(zero);
        set(out, at, scale, zero, by, from);
    }

    private static void set(float[] out, int at, float scale, float zero, float by, float from) {
        out[at + SCALE] = scale;
        out[at + ZERO] = zero;
        out[at + BY] = by;
        out[at + FROM] = from;
    }

    private static void qserve(float min, float max, int most, float[] out, int at) {
        float scale = Element.F16.round((max - min) / most);
        float zero = -most * min / (max - min);
        if (scale == 0 || Math.abs(zero) > Element.F16_MAX) {
            constant(ScaleFormat.F16, min / 2 + max / 2, out, at);
        } else {
            set(out, at, scale, zero, scale, Element.F16.round(zero));
        }
    }

    private static void rotate(Quantizer quantizer, float min, float max, int most, float[] out, int at) {
        ScaleFormat format = quantizer.scaleFormat();
        float low = quantizer.constant() * min;
        float wanted = (quantizer.constant() * max - low) / most;
        if (wanted == 0) {
            constant(format, min, out, at);
            return;
        }
        // Rounded up where nothing may be clipped: E4M3 is coarse. Where the range is clipped anyway the nearest loses
        // less.
        float scale = format.round(wanted);
        if (scale == 0 || (scale < wanted && quantizer.constant() == 1)) {
            scale = format.next(scale);
        }
        scale = Math.max(scale, format.round(Math.abs(low) / 127.5f));
        while (Math.abs(Math.rint(low / scale)) > 127 && format.next(scale) > scale) {
            scale = format.next(scale);
        }
        float zero = Math.clamp((float) Math.rint(-low / scale), -127f, 127f);
        set(out, at, scale, zero, scale, zero);
    }

    /** A group of one value: code 0 means |value| with the value's sign. */
    private static void constant(ScaleFormat format, float value, float[] out, int at) {
        float scale = format.round(Math.abs(value));
        float zero = scale == 0 ? 0 : -Math.signum(value);
        set(out, at, scale, zero, scale, zero);
    }

    /** The mean magnitude of those numbers whose magnitude exceeds {@code border}; 0 if none does. */
    private static float meanMagnitude(float[] in, int first, int stride, int count, float border) {
        float sum = 0;
        int kept = 0;
        for (int i = 0; i < count; i++) {
            float magnitude = Math.abs(in[first + i * stride]);
            if (magnitude > border) {
                sum += magnitude;
                kept++;
            }
        }
        return kept == 0 ? 0 : sum / kept;
    }

    /** quantize_row_iq4_nl_ref of ggml-quants.c, operation by operation. */
    private static void ggmlCodebook(
            Quantizer quantizer, float[] in, int first, int stride, int count, float[] out, int at) {
        float extreme = 0;
        for (int i = 0; i < count; i++) {
            float value = in[first + i * stride];
            extreme = Math.abs(value) > Math.abs(extreme) ? value : extreme;
        }
        if (Math.abs(extreme) < GGML_ZERO) {
            // Every code is 0, as in ggml: all numbers are far below the first border.
            set(out, at, 0, 0, 1, Float.MAX_VALUE);
            return;
        }
        float inverse = 1 / (extreme / quantizer.level(0));
        float sumQx = 0;
        float sumQ2 = 0;
        for (int i = 0; i < count; i++) {
            float x = in[first + i * stride];
            float q = quantizer.level(quantizer.code(x, inverse, 0, 15));
            float weight = x * x;
            sumQx += weight * q * x;
            sumQ2 += weight * q * q;
        }
        set(out, at, sumQ2 > 0 ? sumQx / sumQ2 : 0, 0, inverse, 0);
    }
}
