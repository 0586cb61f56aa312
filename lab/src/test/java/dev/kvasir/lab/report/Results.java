package dev.kvasir.lab.report;

import dev.kvasir.lab.accuracy.TaskResult;
import dev.kvasir.lab.bench.SpeedResult;
import dev.kvasir.lab.bench.SpeedResult.DepthSpeed;
import dev.kvasir.lab.bench.SpeedResult.PeakScope;
import dev.kvasir.lab.compare.ComparisonResult;
import dev.kvasir.lab.compare.ComparisonResult.Row;
import dev.kvasir.lab.compare.ComparisonResult.Skipped;
import dev.kvasir.lab.compare.Machine;
import dev.kvasir.lab.info.ModelInfo;
import dev.kvasir.lab.metric.Proportion;
import dev.kvasir.lab.metric.Spread;
import dev.kvasir.lab.perplexity.PerplexityResult;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** Results made by hand, to be shown. */
final class Results {
    static final ModelInfo MODEL = new ModelInfo(
            "tiny & <small>",
            "llama",
            List.of(),
            6_900_000,
            6,
            256,
            768,
            4,
            2,
            64,
            2048,
            2048,
            10000,
            true,
            13_800_000,
            Map.of("bf16", 13_800_000L),
            3072,
            "0123abcd");
    static final Machine MACHINE = new Machine("A \"Processor\"", 2, 2, "Linux 6", "Vendor 25");

    private Results() {}

    static ComparisonResult of(List<Row> rows) {
        return new ComparisonResult(
                MODEL, MACHINE, "2026-01-02T03:04:05Z", 93, 7, "generated prose, seed 7", 2048, 1024, rows, List.of());
    }

    /** Eight caches whose figures lie as those of a real comparison may. */
    static ComparisonResult typical() {
        List<Row> rows = new ArrayList<>();
        rows.add(row("exact(f32)", 32, 5.213, 0, 1, 0.93, 900, 1));
        rows.add(row("exact(f16)", 16, 5.213, 2.1e-8, 1, 0.93, 910, 1.04));
        rows.add(row("block(q8_0)", 8.5, 5.213, 1.9e-5, 0.998, 0.93, 850, 1.01));
        rows.add(row("block(q4_0)", 4.5, 5.27, 0.0121, 0.962, 0.90, 840, 1.06));
        rows.add(row("block(q4_0, rotate=true)", 4.5, 5.25, 0.0085, 0.971, 0.91, 820, 1.03));
        rows.add(row("kivi(bits=4)", 5.35, 5.22, 0.0016, 0.988, 0.925, 830, 1.10));
        rows.add(row("kivi(bits=2)", 3.41, 5.36, 0.031, 0.94, 0.87, 835, 1.21));
        rows.add(row("kivi(bits=2, k_axis=token, residual=0)", 3, 9.8, 0.81, 0.61, 0.22, 835, 1.24));
        ComparisonResult plain = of(rows);
        return new ComparisonResult(
                plain.model(),
                plain.machine(),
                plain.date(),
                plain.seconds(),
                plain.seed(),
                plain.text(),
                plain.context(),
                plain.prefill(),
                rows,
                List.of(new Skipped("kivi(group=48)", "group: 48 does not divide headDim 64")));
    }

    static Row row(
            String cache, double bits, double ppl, double kld, double top1, double share, double speed, double gain) {
        double bytesPerToken = bits / 8 * 1536;
        PerplexityResult quality = new PerplexityResult(
                cache,
                Math.log(ppl),
                ppl,
                kld,
                top1,
                2046,
                bits,
                (long) (bytesPerToken * 2048),
                0.04,
                kld / 3,
                kld * 9,
                kld * 30,
                2);
        List<TaskResult> tasks = new ArrayList<>();
        long right = Math.round(share * 128);
        for (String task : List.of("retrieval", "two-hop", "arithmetic", "many-shot", "facts")) {
            tasks.add(new TaskResult(task, cache, Proportion.of(right, 128), 16, List.of()));
        }
        // A quarter of what the first turn gets right is lost to the second.
        Proportion first = Proportion.of(right, 128);
        Proportion second = Proportion.of(right * 3 / 4, 128);
        tasks.add(new TaskResult(
                "retrieval:turns", cache, Proportion.of(right + right * 3 / 4, 256), 128, List.of(first, second)));
        return new Row(
                cache,
                bits == 32,
                bytesPerToken,
                quality,
                tasks,
                Optional.of(Proportion.of(5 * right, 640)),
                Optional.of(second),
                speeds(cache, speed, gain));
    }

    private static SpeedResult speeds(String cache, double speed, double gain) {
        List<DepthSpeed> depths = new ArrayList<>();
        for (int depth : List.of(0, 496, 992, 1984)) {
            double exact = 1e6 / (1000 + 0.3 * depth);
            double ratio = 1 + (gain - 1) * depth / 1984;
            double own = exact * ratio;
            depths.add(
                    new DepthSpeed(depth, Spread.of(own * 0.97, own, own * 1.02), Spread.of(ratio), 100L * depth, 4.5));
        }
        return new SpeedResult(
                cache,
                1024,
                Spread.of(speed * 6),
                Spread.of(speed / 900),
                depths,
                OptionalLong.of(Math.round(3.1e8 + 1e6 * speed / 100)),
                PeakScope.CACHE);
    }
}
