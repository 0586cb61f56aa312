package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibration.CalibrationException;
import dev.kvasir.cache.codebook.Codebook;
import dev.kvasir.cache.codebook.NormalFloat;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.kernel.ScaleFormat;
import dev.kvasir.cache.kernel.ZeroFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What a layer of a model knows beforehand, shared by all its caches.
 *
 * @param keys codes of keys; without scales of their own where ranges are those of channels
 * @param values codes of values
 * @param keyRanges of the channels of keys
 * @param keyLimits thresholds of all keys, where they decide
 * @param valueLimits thresholds of all values, where they decide
 */
record KvQuantTables(Codes keys, Codes values, Ranges keyRanges, Limits keyLimits, Limits valueLimits) {
    /**
     * How numbers become codes and back.
     *
     * @param middle the level that the codes in the middle are made for
     */
    record Codes(Quantizer quantizer, float middle) {
        /** Gives the outliers of a token the code in the middle; their deltas make up for it. */
        void hide(TokenRange range, float[] row, int at) {
            float number = middle * Element.F16.round(range.scale()) + Element.F16.round(range.offset());
            for (int i = 0; i < range.count(); i++) {
                row[at + range.channels()[i]] = number;
            }
        }
    }

    /** Thresholds of a whole tensor. */
    record Limits(float low, float high) {
        static final Limits NONE = new Limits(Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY);
    }

    /**
     * Ranges of channels; none where ranges are those of tokens.
     *
     * @param scales half the width of each
     * @param offsets middle of each
     * @param limits decide which numbers are outliers in place of the ranges, unless they are {@link Limits#NONE}
     */
    record Ranges(float[] scales, float[] offsets, boolean sparse, Limits limits) {
        static final Ranges NONE = new Ranges(new float[0], new float[0], false, Limits.NONE);

        /** The ranges between the lowest numbers, from {@code at} on, and the highest behind them. */
        static Ranges between(float[] pair, int at, int width, boolean sparse, Limits limits) {
            float[] scales = new float[width];
            float[] offsets = new float[width];
            for (int c = 0; c < width; c++) {
                float low = pair[at + c];
                scales[c] = (pair[at + width + c] - low) / 2;
                offsets[c] = low + scales[c];
            }
            return new Ranges(scales, offsets, sparse, limits);
        }

        /** A number of a channel brought to [-1, 1] if it is in the channel's range. */
        float normalized(float x, int channel) {
            float moved = x - offsets[channel];
            float scale = scales[channel];
            return scale == 0 ? (moved == 0 ? 0 : moved * Float.POSITIVE_INFINITY) : moved / scale;
        }

        /** Whether a number is an outlier. */
        boolean outlier(float x, float normalized) {
            if (!sparse) {
                return false;
            }
            return limits.equals(Limits.NONE) ? Math.abs(normalized) > 1 : x < limits.low() || x > limits.high();
        }
    }

    /**
     * The tables of all layers.
     *
     * @throws CalibrationException if the calibration lacks something the options want
     */
    static List<KvQuantTables> of(KvQuantOptions options, Calibration calibration) {
        if (options.sparse()) {
            String made = calibration.options().getOrDefault("outliers", "none");
            if (!made.equals(Double.toString(options.outliers()))) {
                throw new CalibrationException(
                        calibration.method(),
                        "made for outliers=" + made + ", asked for outliers=" + options.outliers()
                                + "; allowed are outliers=" + made + " and outliers=0");
            }
        }
        List<KvQuantTables> tables = new ArrayList<>();
        for (int layer = 0; layer < options.shape().layers(); layer++) {
            Limits keyLimits = limits(options, calibration, options.keys(), layer);
            tables.add(new KvQuantTables(
                    codes(options, calibration, options.keys(), options.keyBits(), layer),
                    codes(options, calibration, options.values(), options.valueBits(), layer),
                    ranges(options, calibration, keyLimits, layer),
                    keyLimits,
                    limits(options, calibration, options.values(), layer)));
        }
        return tables;
    }

    private static Limits limits(KvQuantOptions options, Calibration calibration, Arrangement side, int layer) {
        if (side.thresholds() != Thresholds.GLOBAL) {
            return Limits.NONE;
        }
        String name = side.thresholdName();
        float[] data = calibration.data(name, options.shape().layers(), 2);
        check(calibration, name, data, 2 * layer, 2 * layer + 1);
        return new Limits(data[2 * layer], data[2 * layer + 1]);
    }

    private static Ranges ranges(KvQuantOptions options, Calibration calibration, Limits limits, int layer) {
        if (!options.keys().byChannel()) {
            return Ranges.NONE;
        }
        int width = options.width();
        String name = options.keys().rangeName();
        float[] data = calibration.data(name, options.shape().layers(), 2, width);
        int first = 2 * layer * width;
        for (int c = first; c < first + width; c++) {
            check(calibration, name, data, c, c + width);
        }
        return Ranges.between(data, first, width, options.sparse(), limits);
    }

    private static void check(Calibration calibration, String name, float[] data, int low, int high) {
        if (!(data[low] <= data[high]) || !Float.isFinite(data[high] - data[low])) {
            throw new CalibrationException(
                    calibration.method(),
                    "tensor " + name + " says from " + data[low] + " to " + data[high] + " at " + low
                            + ", expected an ascending pair");
        }
    }

    private static Codes codes(KvQuantOptions options, Calibration calibration, Arrangement side, int bits, int layer) {
        float[] levels = switch (options.datatype()) {
            case "uniform" -> Codebook.uniform(bits, -1, 1).levels();
            case "nf" -> NormalFloat.levels(bits).levels();
            default -> fitted(options, calibration, side, bits, 2 * layer);
        };
        float[] meanings = options.usesQNorm(bits) ? fitted(options, calibration, side, bits, 2 * layer + 1) : levels;
        boolean stored = !side.byChannel();
        Quantizer quantizer = Quantizer.codebook(
                levels,
                meanings,
                stored ? ScaleFormat.F16 : ScaleFormat.NONE,
                stored ? ZeroFormat.F16 : ZeroFormat.NONE);
        return new Codes(quantizer, levels[levels.length / 2 - 1]);
    }

    /** A row of the levels fitted for all layers. */
    private static float[] fitted(
            KvQuantOptions options, Calibration calibration, Arrangement side, int bits, int row) {
        int count = 1 << bits;
        String name = side.levelsName(options.weighting(), bits);
        float[] data = calibration.data(name, options.shape().layers(), 2, count);
        float[] levels = Arrays.copyOfRange(data, row * count, (row + 1) * count);
        for (int i = 1; i < count && row % 2 == 0; i++) {
            if (!(levels[i - 1] < levels[i])) {
                throw new CalibrationException(
                        calibration.method(),
                        "tensor " + name + " has level " + levels[i] + " after " + levels[i - 1] + " in row " + row
                                + ", expected ascending ones");
            }
        }
        return levels;
    }
}
