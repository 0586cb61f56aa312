package dev.kvasir.cli.command;

import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cli.ProgressDisplay;
import dev.kvasir.cli.Table;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.option.CacheListOption;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.JsonOption;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.PrecisionOption;
import dev.kvasir.cli.option.Range;
import dev.kvasir.cli.option.WeightsOption;
import dev.kvasir.lab.bench.SpeedBench;
import dev.kvasir.lab.bench.SpeedOptions;
import dev.kvasir.lab.bench.SpeedResult;
import dev.kvasir.lab.compare.BenchResult;
import dev.kvasir.lab.compare.Machine;
import dev.kvasir.lab.info.ModelInfo;
import dev.kvasir.lab.report.BenchReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir bench}: how fast caches are, and how much memory they take. */
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        header = "Measures prefill and decode speed at cache depths, bytes and peak memory.",
        description = {
            "",
            "Caches are interleaved, so that a busy machine disturbs all alike. Printed are medians over the repetitions"
                    + " with the slowest and the fastest; ratios are taken within a repetition, against the first cache.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir bench",
            "  kvasir bench --model ~/models/llama --cache 'exact(f16)' --cache 'kivi(bits=2)' \\",
            "      --prefill 512 --depth 0,2048,8192 --repetitions 5 --report bench.html",
        })
public final class BenchCommand implements Callable<Integer> {
    private static final List<CacheSpec> DEFAULT_CACHES = Stream.of("exact(f16)", "kivi(bits=4)", "kivi(bits=2)")
            .map(CacheSpec::parse)
            .toList();
    private static final int DEFAULT_PREFILL = 512;
    private static final int MOST_DEFAULT_DEPTH = 4096;

    private final Terminal terminal;

    @Mixin
    private final ModelOption model = new ModelOption();

    @Mixin
    private final WeightsOption weights = new WeightsOption();

    @Mixin
    private final CacheListOption caches = new CacheListOption();

    @Option(
            names = "--prefill",
            paramLabel = "P",
            description = "Tokens of the prompt that is timed. Default: " + DEFAULT_PREFILL
                    + ", or the model's context if that is less.")
    private Optional<Integer> prefill = Optional.empty();

    @Option(
            names = "--depth",
            paramLabel = "N",
            split = ",",
            description = "Tokens in the cache when decoding is timed, ascending, separated by commas."
                    + " Default: none, and quarters of the model's context up to " + MOST_DEFAULT_DEPTH + ".")
    private List<Integer> depths = new ArrayList<>();

    @Option(
            names = "--decode",
            paramLabel = "N",
            defaultValue = "" + SpeedOptions.DECODE,
            description = "Tokens decoded in one timing. Default: ${DEFAULT-VALUE}.")
    private int decode;

    @Option(
            names = {"-r", "--repetitions"},
            paramLabel = "R",
            defaultValue = "5",
            description = "Timed rounds over all caches. Default: ${DEFAULT-VALUE}.")
    private int repetitions;

    @Option(
            names = "--fill",
            paramLabel = "HOW",
            defaultValue = "real",
            description = {
                "How caches are filled up to a depth: real runs the model over every token; repeat runs it over the prompt, at"
                        + " most " + SpeedOptions.FILL_CHUNK + " tokens, and stores its keys and values again and again"
                        + " with advancing positions, which takes seconds at depths of 32,768. Default: ${DEFAULT-VALUE}.",
            })
    private SpeedOptions.Fill fill = SpeedOptions.Fill.REAL;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Chooses the random tokens that are fed. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
            names = {"-o", "--report", "--html"},
            paramLabel = "FILE",
            description = "Write a report with charts of decode time and bytes against depth to FILE. Default: none.")
    private Optional<Path> report = Optional.empty();

    @Mixin
    private final ComputeOptions compute = new ComputeOptions();

    @Mixin
    private final PrecisionOption precision = new PrecisionOption();

    @Mixin
    private final JsonOption json = new JsonOption();

    /** The command on these streams. */
    public BenchCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        checkOptions();
        if (report.isPresent()) {
            OutputFiles.requireWritable(report.get());
        }
        try (Session session = Session.open(model, compute, precision.precision(), weights, terminal);
                ProgressDisplay progress = new ProgressDisplay(terminal)) {
            BenchResult result = measure(session, progress);
            progress.finish();
            json.write(result, terminal);
            if (!json.toOutput()) {
                print(result.results());
                if (fill == SpeedOptions.Fill.REPEAT) {
                    terminal.out()
                            .println("filled by repeating the keys and values of "
                                    + result.options().repeated() + " tokens (--fill repeat)");
                }
            }
            if (report.isPresent()) {
                Files.writeString(report.get(), BenchReport.of(result));
                terminal.err().println("wrote " + report.get());
            }
        }
        return 0;
    }

    private BenchResult measure(Session session, ProgressDisplay progress) {
        OffsetDateTime date = OffsetDateTime.now(ZoneId.systemDefault()).truncatedTo(ChronoUnit.SECONDS);
        long start = System.nanoTime();
        SpeedOptions options = options(session.model().config().contextLength());
        List<CacheSpec> specs = caches.specs().isEmpty() ? DEFAULT_CACHES : caches.specs();
        List<SpeedResult> results = new SpeedBench(session.stepModel(), options).run(specs, progress);
        return new BenchResult(
                ModelInfo.of(session.model()),
                Machine.current(session.threads()),
                date.format(DateTimeFormatter.ISO_OFFSET_DATE_TIME),
                (System.nanoTime() - start) / 1e9,
                options,
                results);
    }

    private void checkOptions() {
        prefill.ifPresent(value -> Range.check("--prefill", value, 1, Integer.MAX_VALUE));
        depths.forEach(value -> Range.check("--depth", value, 0, Integer.MAX_VALUE));
        Range.check("--decode", decode, 1, Integer.MAX_VALUE);
        Range.check("--repetitions", repetitions, 1, 1000);
    }

    private SpeedOptions options(int context) {
        int deepest = Math.clamp(context - decode, 0, MOST_DEFAULT_DEPTH);
        List<Integer> quarters =
                Stream.of(0, deepest / 4, deepest / 2, deepest).distinct().toList();
        return new SpeedOptions(
                prefill.orElse(Math.min(DEFAULT_PREFILL, context)),
                depths.isEmpty() ? quarters : depths,
                decode,
                repetitions,
                SpeedOptions.FILL_CHUNK,
                seed,
                fill);
    }

    private void print(List<SpeedResult> results) {
        Table table = Table.ofFigures(List.of(
                "cache",
                "depth",
                "decode tokens/s",
                "ratio",
                "prefill tokens/s",
                "bits/element",
                "cache bytes",
                "peak RSS"));
        for (SpeedResult result : results) {
            for (SpeedResult.DepthSpeed depth : result.depths()) {
                table.row(List.of(
                        result.cache(),
                        Integer.toString(depth.depth()),
                        Cells.spread(depth.decode()),
                        Cells.bits(depth.ratio().median()),
                        Cells.spread(result.prefill()),
                        Cells.bits(depth.bitsPerElement()),
                        Cells.count(depth.cacheBytes()),
                        Cells.size(result.peakRss())));
            }
        }
        table.print(terminal);
    }
}
