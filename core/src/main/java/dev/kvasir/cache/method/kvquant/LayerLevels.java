package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.Calibrator.Sensitivity;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.method.kvquant.KvQuantTables.Limits;
import dev.kvasir.cache.method.kvquant.KvQuantTables.Ranges;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** The second pass over one layer: inliers of every arrangement, normalised, with their weights. */
final class LayerLevels {
    private final int width;
    private final int headDim;
    private final Map<Arrangement, LevelFit> fits = new LinkedHashMap<>();
    private final Map<Arrangement, Ranges> channels = new LinkedHashMap<>();
    private final Map<Arrangement, TokenRange> tokens = new LinkedHashMap<>();
    private final boolean[] hidden;
    private float[] turned = {};

    LayerLevels(KvQuantOptions options, LayerRanges ranges) {
        width = options.width();
        headDim = options.shape().headDim();
        hidden = new boolean[width];
        int perSide = KvQuantOptions.perSide(options.outliers(), width);
        for (Arrangement arrangement : Arrangement.all()) {
            fits.put(arrangement, new LevelFit());
            boolean global = arrangement.thresholds() == Thresholds.GLOBAL;
            Limits limits = global ? ranges.limits(arrangement, options.outliers()) : Limits.NONE;
            if (arrangement.byChannel()) {
                channels.put(
                        arrangement, ranges(arrangement, ranges.channels(arrangement, options.outliers()), limits));
            } else {
                tokens.put(
                        arrangement,
                        new TokenRange(arrangement.thresholds(), width, perSide, limits.low(), limits.high()));
            }
        }
    }

    private Ranges ranges(Arrangement arrangement, float[] pair, Limits limits) {
        return Ranges.between(pair, 0, width, arrangement.thresholds() != Thresholds.NONE, limits);
    }

    LevelFit fit(Arrangement arrangement) {
        LevelFit fit = fits.get(arrangement);
        if (fit == null) {
            throw new IllegalArgumentException("no fit for " + arrangement);
        }
        return fit;
    }

    /** Takes in the tokens of a sequence from {@code first} on. */
    void see(TokenStates states, int first, Sensitivity sensitivity) {
        int count = states.count();
        float[] ofKeys = sensitivity.keys();
        float[] ofTurned = turned(ofKeys, count);
        fits.forEach((arrangement, fit) -> {
            if (!arrangement.keys()) {
                see(arrangement, fit, states.values(), sensitivity.values(), first, count);
            } else if (arrangement.beforeRope()) {
                see(arrangement, fit, states.keysBeforeRope(), ofKeys, first, count);
            } else {
                see(arrangement, fit, states.keys(), ofTurned, first, count);
            }
        });
    }

    /**
     * The sensitivity of keys after RoPE: that of a pair of channels, which turns with the token, is shared evenly. Only the
     * ablation of keys after RoPE reads it.
     */
    private float[] turned(float[] sensitivity, int count) {
        turned = turned.length >= count * width ? turned : new float[count * width];
        int half = headDim / 2;
        for (int head = 0; head < count * width; head += headDim) {
            for (int i = head; i < head + half; i++) {
                float share = (sensitivity[i] + sensitivity[i + half]) / 2;
                turned[i] = share;
                turned[i + half] = share;
            }
        }
        return turned;
    }

    private void see(Arrangement arrangement, LevelFit fit, float[] numbers, float[] weights, int first, int count) {
        Ranges ranges = channels.get(arrangement);
        TokenRange range = tokens.get(arrangement);
        for (int t = first; t < count; t++) {
            if (ranges != null) {
                byChannel(ranges, fit, numbers, weights, t * width);
            } else if (range != null) {
                byToken(range, fit, numbers, weights, t * width);
            }
        }
    }

    private void byChannel(Ranges ranges, LevelFit fit, float[] numbers, float[] weights, int at) {
        for (int c = 0; c < width; c++) {
            float x = ranges.normalized(numbers[at + c], c);
            if (Math.abs(x) <= 1 && !ranges.outlier(numbers[at + c], x)) {
                fit.add(x, weights[at + c], ranges.scales()[c]);
            }
        }
    }

    private void byToken(TokenRange range, LevelFit fit, float[] numbers, float[] weights, int at) {
        range.fit(numbers, at);
        Arrays.fill(hidden, false);
        for (int i = 0; i < range.count(); i++) {
            hidden[range.channels()[i]] = true;
        }
        float scale = range.scale();
        for (int c = 0; c < width; c++) {
            if (!hidden[c]) {
                float x = scale == 0 ? 0 : (numbers[at + c] - range.offset()) / scale;
                fit.add(Math.clamp(x, -1, 1), weights[at + c], scale);
            }
        }
    }
}
