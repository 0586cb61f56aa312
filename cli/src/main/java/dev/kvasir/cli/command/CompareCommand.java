package dev.kvasir.cli.command;

import dev.kvasir.cli.ProgressDisplay;
import dev.kvasir.cli.Table;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import dev.kvasir.cli.option.CacheListOption;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.JsonOption;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.Range;
import dev.kvasir.cli.option.WeightsOption;
import dev.kvasir.lab.accuracy.Exam;
import dev.kvasir.lab.accuracy.TaskResult;
import dev.kvasir.lab.accuracy.TurnOptions;
import dev.kvasir.lab.compare.Comparison;
import dev.kvasir.lab.compare.ComparisonOptions;
import dev.kvasir.lab.compare.ComparisonResult;
import dev.kvasir.lab.compare.DefaultCaches;
import dev.kvasir.lab.compare.Effort;
import dev.kvasir.lab.compare.Machine;
import dev.kvasir.lab.compare.Text;
import dev.kvasir.lab.info.ModelInfo;
import dev.kvasir.lab.report.HtmlReport;
import dev.kvasir.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir compare}: the main job. */
@Command(
        name = "compare",
        mixinStandardHelpOptions = true,
        header = "Compares caches on a model: memory, quality, accuracy, speed.",
        description = {
            "",
            "Prints one row per cache and writes a report with charts. With no options: the shipped model on generated"
                    + " text and tasks, with a sensible set of caches.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir compare",
            "  kvasir compare --cache 'kivi(bits=2)' --cache 'kivi(bits=4)' --effort quick",
            "  kvasir compare --task retrieval,retrieval:turns,retrieval:requests --turns 3",
            "  kvasir compare --model ~/models/llama --text book.txt --no-tasks --json result.json",
        })
public final class CompareCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Mixin
    private final ModelOption model = new ModelOption();

    @Mixin
    private final WeightsOption weights = new WeightsOption();

    @Mixin
    private final CacheListOption caches = new CacheListOption();

    @Option(
            names = {"-t", "--text"},
            paramLabel = "FILE",
            description = "The text to read, UTF-8; - is standard input. Default: generated prose.")
    private Optional<Path> text = Optional.empty();

    @Option(names = "--all", description = "Measure every method with its default options.")
    private boolean all;

    @Option(
            names = "--task",
            paramLabel = "NAME",
            split = ",",
            description =
                    "A generated task to ask; may be given several times. NAME:turns asks its questions in turns of"
                            + " one cache, NAME:requests each alone, of a document compressed before. Default: all there are,"
                            + " retrieval and two-hop in turns too.")
    private List<String> tasks = new ArrayList<>();

    @Option(
            names = "--turns",
            paramLabel = "N",
            defaultValue = "" + TurnOptions.TURNS,
            description = "Questions of NAME:turns and NAME:requests. Default: ${DEFAULT-VALUE}.")
    private int turns;

    @Option(names = "--no-tasks", description = "Ask no tasks, as of a model that was not trained on them.")
    private boolean noTasks;

    @Option(
            names = "--effort",
            paramLabel = "HOW",
            defaultValue = "standard",
            description = "How much is measured: quick, standard or thorough. Default: ${DEFAULT-VALUE}.")
    private Effort effort = Effort.STANDARD;

    @Option(
            names = "--context",
            paramLabel = "N",
            description = "Tokens of a window of text. Default: what the effort says, at most the model's context.")
    private Optional<Integer> context = Optional.empty();

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Chooses the generated text and tasks. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
            names = {"-o", "--report"},
            paramLabel = "FILE",
            defaultValue = "report.html",
            description = "Where to write the report. Default: ${DEFAULT-VALUE}.")
    private Path report = Path.of("report.html");

    @Option(names = "--no-report", description = "Write no report.")
    private boolean noReport;

    @Mixin
    private final ComputeOptions compute = new ComputeOptions();

    @Mixin
    private final JsonOption json = new JsonOption();

    /** The command on these streams. */
    public CompareCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        context.ifPresent(value -> Range.check("--context", value, 16, Integer.MAX_VALUE));
        Range.check("--turns", turns, 1, TurnOptions.MOST_TURNS);
        Range.check("--seed", seed, 0, Long.MAX_VALUE);
        if (!noReport) {
            OutputFiles.requireWritable(report);
        }
        try (Session session = Session.open(model, compute, Precision.F32, weights, terminal);
                ProgressDisplay progress = new ProgressDisplay(terminal)) {
            ComparisonOptions options = options(session);
            Comparison comparison = new Comparison(
                    session.stepModel(),
                    ModelInfo.of(session.model()),
                    Machine.current(session.threads()),
                    session.tokenizer()::encodeWithOffsets);
            ComparisonResult result = comparison.run(options, text(session, options), progress);
            progress.finish();
            json.write(result, terminal);
            if (!json.toOutput()) {
                print(result);
            }
            if (!noReport) {
                Files.writeString(report, HtmlReport.of(result));
                terminal.err().println("wrote " + report);
            }
        }
        return 0;
    }

    private ComparisonOptions options(Session session) {
        if (all && !caches.specs().isEmpty()) {
            throw new UsageException("--all and --cache exclude each other: allowed is one of them");
        }
        int window = context.orElse(
                Math.min(effort.context(), session.model().config().contextLength()));
        return all
                ? ComparisonOptions.of(effort, window, DefaultCaches.everyMethod(), true, taskNames(), turns, seed)
                : ComparisonOptions.of(effort, window, caches.specs(), taskNames(), turns, seed);
    }

    private List<String> taskNames() {
        if (noTasks) {
            return List.of();
        }
        return tasks.isEmpty() ? Exam.defaults().stream().map(Exam::name).toList() : tasks;
    }

    private Text text(Session session, ComparisonOptions options) throws IOException {
        if (text.isEmpty()) {
            int tokens = options.text().context() * options.text().windows();
            return Text.generated(tokens, seed, session.tokenizer()::encodeWithOffsets);
        }
        return Text.of(
                text.get().toString(),
                Sources.text(List.of(), text, terminal, "the text"),
                session.tokenizer()::encodeWithOffsets);
    }

    private void print(ComparisonResult result) {
        List<String> headings = new ArrayList<>(
                List.of("cache", "bits/element", "cache bytes", "peak RSS", "perplexity", "KLD", "top-1"));
        result.rows().getFirst().tasks().forEach(task -> headings.add(heading(task)));
        headings.addAll(List.of("prefill tokens/s", "decode tokens/s"));
        Table table = Table.ofFigures(headings);
        for (ComparisonResult.Row row : result.rows()) {
            List<String> cells = new ArrayList<>(List.of(
                    row.cache(),
                    Cells.bits(row.quality().bitsPerElement()),
                    Cells.count(row.quality().cacheBytes()),
                    Cells.size(row.speed().peakRss()),
                    String.format(Locale.ROOT, "%.3f", row.quality().ppl()),
                    Cells.divergence(row.quality().kld()),
                    Cells.percent(row.quality().top1())));
            for (TaskResult task : row.tasks()) {
                cells.add(Cells.shares(task.turns().isEmpty() ? List.of(task.answers()) : task.turns()));
            }
            cells.add(Cells.speed(row.speed().prefill().median()));
            cells.add(Cells.speed(row.speed().deepestDecode()));
            table.row(cells);
        }
        table.print(terminal);
        result.skipped()
                .forEach(skipped -> terminal.err().println("left out " + skipped.cache() + ": " + skipped.reason()));
        terminal.err()
                .printf(
                        Locale.ROOT,
                        "%s, %s, %d tokens a window, decode at depth %d, seed %d, %.0f s%n",
                        result.model().name(),
                        result.text(),
                        result.context(),
                        result.rows().getFirst().speed().depths().getLast().depth(),
                        result.seed(),
                        result.seconds());
    }

    private static String heading(TaskResult task) {
        return switch (task.turns().size()) {
            case 0 -> task.task();
            case 1 -> task.taskName() + " turn 1";
            case 2 -> task.taskName() + " turn 1/2";
            default -> task.taskName() + " turn 1/../" + task.turns().size();
        };
    }
}
