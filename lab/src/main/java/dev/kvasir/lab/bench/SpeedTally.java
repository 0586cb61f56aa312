package dev.kvasir.lab.bench;

import dev.kvasir.lab.bench.SpeedResult.DepthSpeed;
import dev.kvasir.lab.bench.SpeedResult.PeakScope;
import dev.kvasir.lab.metric.Spread;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/** One cache's timings while they are gathered: {@code prefill[repetition]}, {@code decode[depth][repetition]}. */
final class SpeedTally {
    private final String cache;
    private final SpeedOptions options;
    final double[] prefill;
    final double[][] decode;
    final long[] cacheBytes;
    final double[] bitsPerElement;
    private OptionalLong peakRss = OptionalLong.empty();
    private PeakScope scope = PeakScope.UNKNOWN;

    SpeedTally(String cache, SpeedOptions options) {
        this.cache = cache;
        this.options = options;
        int depths = options.depths().size();
        prefill = new double[options.repetitions()];
        decode = new double[depths][options.repetitions()];
        cacheBytes = new long[depths];
        bitsPerElement = new double[depths];
    }

    void peak(OptionalLong bytes, boolean ofThisCache) {
        peakRss = bytes;
        if (bytes.isPresent()) {
            scope = ofThisCache ? PeakScope.CACHE : PeakScope.PROCESS;
        }
    }

    SpeedResult result(SpeedTally first) {
        List<DepthSpeed> depths = new ArrayList<>();
        for (int d = 0; d < decode.length; d++) {
            depths.add(new DepthSpeed(
                    options.depths().get(d),
                    Spread.of(decode[d]),
                    Spread.of(ratios(decode[d], first.decode[d])),
                    cacheBytes[d],
                    bitsPerElement[d]));
        }
        return new SpeedResult(
                cache,
                options.prefill(),
                Spread.of(prefill),
                Spread.of(ratios(prefill, first.prefill)),
                List.copyOf(depths),
                peakRss,
                scope);
    }

    private static double[] ratios(double[] own, double[] first) {
        double[] ratios = new double[own.length];
        for (int i = 0; i < own.length; i++) {
            ratios[i] = own[i] / first[i];
        }
        return ratios;
    }
}
