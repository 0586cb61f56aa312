package dev.kvasir.lab.compare;

import dev.kvasir.lab.bench.SpeedOptions;
import dev.kvasir.lab.bench.SpeedResult;
import dev.kvasir.lab.info.ModelInfo;
import java.util.List;

/**
 * What a bench alone measured, with all that is needed to repeat it.
 *
 * @param date when it began, ISO 8601 with offset
 * @param seconds how long it took
 * @param results one entry per cache, the first being what ratios are against
 */
public record BenchResult(
        ModelInfo model,
        Machine machine,
        String date,
        double seconds,
        SpeedOptions options,
        List<SpeedResult> results) {}
