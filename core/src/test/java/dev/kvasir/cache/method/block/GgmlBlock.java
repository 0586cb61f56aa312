package dev.kvasir.cache.method.block;

/**
 * A block of 32 numbers as ggml's quantize_row_*_ref makes it (ggml-quants.c), codes as unsigned numbers, scale and minimum as
 * stored.
 */
record GgmlBlock(float scale, float min, int[] codes) {
    private static final int[] IQ4_NL = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

    static GgmlBlock of(String type, float[] row, int from) {
        float[] x = java.util.Arrays.copyOfRange(row, from, from + 32);
        return switch (type) {
            case "q4_1" -> range(x, 15);
            case "q5_1" -> range(x, 31);
            case "iq4_nl" -> codebook(x);
            default -> extreme(type, x);
        };
    }

    /** The numbers that the codes stand for, as ggml's dequantize_row_*. */
    float[] values(String type) {
        float[] values = new float[codes.length];
        for (int i = 0; i < codes.length; i++) {
            int level = switch (type) {
                case "q8_0" -> codes[i] - 128;
                case "q5_0" -> codes[i] - 16;
                case "q4_0" -> codes[i] - 8;
                case "iq4_nl" -> IQ4_NL[codes[i]];
                default -> codes[i];
            };
            values[i] = level * scale + min;
        }
        return values;
    }

    private static GgmlBlock extreme(String type, float[] x) {
        float max = largest(x);
        float d = switch (type) {
            case "q8_0" -> Math.abs(max) / 127;
            case "q4_0" -> max / -8;
            default -> max / -16;
        };
        float id = d == 0 ? 0 : 1 / d;
        int[] codes = new int[32];
        for (int i = 0; i < 32; i++) {
            float scaled = x[i] * id;
            codes[i] = switch (type) {
                case "q8_0" -> (int) (Math.signum(scaled) * Math.floor(Math.abs((double) scaled) + 0.5)) + 128;
                case "q4_0" -> Math.min(15, (byte) (scaled + 8.5f));
                default -> Math.min(31, (byte) (scaled + 16.5f));
            };
        }
        return new GgmlBlock(half(d), 0, codes);
    }

    private static GgmlBlock range(float[] x, int most) {
        float min = Float.MAX_VALUE;
        float max = -Float.MAX_VALUE;
        for (float value : x) {
            min = Math.min(min, value);
            max = Math.max(max, value);
        }
        float d = (max - min) / most;
        float id = d == 0 ? 0 : 1 / d;
        int[] codes = new int[32];
        for (int i = 0; i < 32; i++) {
            codes[i] = Math.min(most, (byte) ((x[i] - min) * id + 0.5f));
        }
        return new GgmlBlock(half(d), half(min), codes);
    }

    private static GgmlBlock codebook(float[] x) {
        float id = 1 / (largest(x) / IQ4_NL[0]);
        float sumqx = 0;
        float sumq2 = 0;
        int[] codes = new int[32];
        for (int i = 0; i < 32; i++) {
            float al = id * x[i];
            int best = 0;
            for (int l = 1; l < 16; l++) {
                // The upper of two levels from their midpoint on.
                best = al + al >= IQ4_NL[l - 1] + IQ4_NL[l] ? l : best;
            }
            codes[i] = best;
            float q = IQ4_NL[best];
            float w = x[i] * x[i];
            sumqx += w * q * x[i];
            sumq2 += w * q * q;
        }
        return new GgmlBlock(half(sumqx / sumq2), 0, codes);
    }

    private static float largest(float[] x) {
        float amax = 0;
        float max = 0;
        for (float value : x) {
            if (amax < Math.abs(value)) {
                amax = Math.abs(value);
                max = value;
            }
        }
        return max;
    }

    private static float half(float value) {
        return Float.float16ToFloat(Float.floatToFloat16(value));
    }
}
