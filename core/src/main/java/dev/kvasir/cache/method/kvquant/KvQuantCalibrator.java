package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.codebook.WeightedHistogram;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Learns what {@link KvQuantTables} reads, for all bits and all ablations at once: thresholds in a first pass, levels in a
 * second, weighted with the sensitivity of the loss. The first tokens of each sequence, which a cache keeps exact, count in
 * neither.
 *
 * <p>Memory does not grow with the text: some 2 kB for each channel, 2.5 MB for each layer.
 *
 * <pre>
 *   k.ROPE.channel.THRESHOLDS.range          [layers][2][width]      lowest and highest inlier of each channel
 *   k.ROPE.threshold, v.threshold            [layers][2]             of the whole layer, for threshold=global
 *   k.ROPE.AXIS.THRESHOLDS.WEIGHTS.nuqBITS   [layers][2][2^bits]     levels: to make codes with; what codes mean under Q-Norm
 *   v.token.THRESHOLDS.WEIGHTS.nuqBITS       [layers][2][2^bits]
 * </pre>
 */
final class KvQuantCalibrator implements Calibrator {
    private static final int MIN_BITS = 2;
    private static final int MAX_BITS = 4;

    private final KvQuantOptions options;
    private final String fingerprint;
    private final CacheShape shape;
    private final List<LayerRanges> ranges = new ArrayList<>();
    private final List<LayerLevels> levels = new ArrayList<>();

    KvQuantCalibrator(KvQuantOptions options, String fingerprint) {
        this.options = options;
        this.fingerprint = fingerprint;
        this.shape = options.shape();
        for (int layer = 0; layer < shape.layers(); layer++) {
            ranges.add(new LayerRanges(options.width()));
        }
    }

    @Override
    public int passes() {
        return 2;
    }

    @Override
    public boolean wantsSensitivity(int pass) {
        return pass == 1;
    }

    @Override
    public void begin(int pass) {
        for (int layer = 0; pass == 1 && layer < shape.layers(); layer++) {
            levels.add(new LayerLevels(options, ranges.get(layer)));
        }
    }

    @Override
    public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
        int first = Math.min(options.sinks(), states.count());
        if (levels.isEmpty()) {
            ranges.get(layer).see(states, first);
        } else {
            levels.get(layer).see(states, first, sensitivity);
        }
    }

    @Override
    public Calibration finish() {
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>();
        for (Arrangement arrangement : Arrangement.all()) {
            if (arrangement.byChannel()) {
                tensors.put(arrangement.rangeName(), ranges(arrangement));
            }
            if (arrangement.thresholds() == Thresholds.GLOBAL) {
                tensors.put(arrangement.thresholdName(), thresholds(arrangement));
            }
        }
        for (Arrangement arrangement : Arrangement.all()) {
            for (Weighting weighting : Weighting.values()) {
                addLevels(tensors, arrangement, weighting);
            }
        }
        Map<String, String> made = new LinkedHashMap<>();
        made.put("outliers", Double.toString(options.outliers()));
        made.put("sinks", Integer.toString(options.sinks()));
        return new Calibration(KvQuantCache.NAME, made, fingerprint, tensors);
    }

    private Calibration.Tensor ranges(Arrangement arrangement) {
        int width = options.width();
        float[] data = new float[shape.layers() * 2 * width];
        for (int layer = 0; layer < shape.layers(); layer++) {
            float[] pair = ranges.get(layer).channels(arrangement, options.outliers());
            System.arraycopy(pair, 0, data, 2 * layer * width, 2 * width);
        }
        return Calibration.Tensor.of(data, shape.layers(), 2, width);
    }

    private Calibration.Tensor thresholds(Arrangement arrangement) {
        float[] data = new float[shape.layers() * 2];
        for (int layer = 0; layer < shape.layers(); layer++) {
            KvQuantTables.Limits limits = ranges.get(layer).limits(arrangement, options.outliers());
            data[2 * layer] = limits.low();
            data[2 * layer + 1] = limits.high();
        }
        return Calibration.Tensor.of(data, shape.layers(), 2);
    }

    private void addLevels(Map<String, Calibration.Tensor> tensors, Arrangement arrangement, Weighting weighting) {
        List<WeightedHistogram> histograms = new ArrayList<>();
        for (LayerLevels layer : levels) {
            histograms.add(layer.fit(arrangement).histogram(weighting));
        }
        for (int bits = MIN_BITS; bits <= MAX_BITS; bits++) {
            int count = 1 << bits;
            float[] data = new float[shape.layers() * 2 * count];
            for (int layer = 0; layer < shape.layers(); layer++) {
                float[] fitted = LevelFit.levels(histograms.get(layer), bits);
                float[] meanings = levels.get(layer).fit(arrangement).meanings(fitted);
                System.arraycopy(fitted, 0, data, 2 * layer * count, count);
                System.arraycopy(meanings, 0, data, (2 * layer + 1) * count, count);
            }
            tensors.put(arrangement.levelsName(weighting, bits), Calibration.Tensor.of(data, shape.layers(), 2, count));
        }
    }
}
