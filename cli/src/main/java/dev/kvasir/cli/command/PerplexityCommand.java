package dev.kvasir.cli.command;

import dev.kvasir.cli.ProgressDisplay;
import dev.kvasir.cli.Table;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.option.CacheSpecOption;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.JsonOption;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.Range;
import dev.kvasir.cli.option.WeightsOption;
import dev.kvasir.lab.compare.DefaultCaches;
import dev.kvasir.lab.perplexity.PerplexityOptions;
import dev.kvasir.lab.perplexity.PerplexityResult;
import dev.kvasir.lab.perplexity.PerplexityRun;
import dev.kvasir.tensor.Precision;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir perplexity}: what a cache does to a model's predictions on a text. */
@Command(
        name = "perplexity",
        mixinStandardHelpOptions = true,
        header = "Measures what a cache does to a model's predictions on a text.",
        description = {
            "",
            "The text is cut into windows of N tokens. In each, the first P tokens are prefilled, the others are fed one"
                    + " by one and read from the cache. Counted are the predictions of tokens read one by one: those"
                    + " made at indices P to N-2. No token is added to the text.",
            "",
            "JSON keys: nll (nats per token), ppl, kld (mean KL divergence of the exact cache to this one, nats), top1"
                    + " (share of equal arg max), tokens, bitsPerElement, cacheBytes, and some more."
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir perplexity --text book.txt --cache 'kivi(bits=2)'",
            "  kvasir perplexity --model ~/models/llama --text book.txt --cache 'kivi(bits=4)' \\",
            "      --context 4096 --prefill 2048 --windows 4 --json result.json",
        })
public final class PerplexityCommand implements Callable<Integer> {
    private static final int MOST_DEFAULT_CONTEXT = 2048;

    private final Terminal terminal;

    @Mixin
    private final ModelOption model = new ModelOption();

    @Mixin
    private final WeightsOption weights = new WeightsOption();

    @Option(
            names = {"-t", "--text"},
            paramLabel = "FILE",
            required = true,
            description = "The text, UTF-8; - is standard input.")
    private Optional<Path> text = Optional.empty();

    @Mixin
    private final CacheSpecOption cache = new CacheSpecOption();

    @Option(
            names = "--context",
            paramLabel = "N",
            description = "Tokens of a window. Default: the model's context, at most " + MOST_DEFAULT_CONTEXT + ".")
    private Optional<Integer> context = Optional.empty();

    @Option(
            names = "--prefill",
            paramLabel = "P",
            description = "Tokens of a window that are fed in one step, 0 to N-2. Default: half of N.")
    private Optional<Integer> prefill = Optional.empty();

    @Option(names = "--windows", paramLabel = "W", description = "Most windows to read. Default: all there are.")
    private Optional<Integer> windows = Optional.empty();

    @Mixin
    private final ComputeOptions compute = new ComputeOptions();

    @Mixin
    private final JsonOption json = new JsonOption();

    /** The command on these streams. */
    public PerplexityCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        checkOptions();
        try (Session session = Session.open(model, compute, Precision.F32, weights, terminal);
                ProgressDisplay progress = new ProgressDisplay(terminal)) {
            int tokens = context.orElse(
                    Math.min(MOST_DEFAULT_CONTEXT, session.model().config().contextLength()));
            PerplexityOptions options = new PerplexityOptions(
                    tokens, prefill.orElse(tokens / 2), windows.orElse(PerplexityOptions.ALL_WINDOWS));
            PerplexityRun run = new PerplexityRun(session.stepModel(), DefaultCaches.reference(), options);
            int[] ids = session.tokenizer().encode(Sources.text(List.of(), text, terminal, "the text"));
            PerplexityResult result =
                    run.run(ids, List.of(cache.spec()), progress).getFirst();
            progress.finish();
            json.write(result, terminal);
            if (!json.toOutput()) {
                print(result);
            }
        }
        return 0;
    }

    private void checkOptions() {
        context.ifPresent(value -> Range.check("--context", value, 2, Integer.MAX_VALUE));
        windows.ifPresent(value -> Range.check("--windows", value, 1, Integer.MAX_VALUE));
        prefill.ifPresent(value ->
                Range.check("--prefill", value, 0, context.map(n -> n - 2).orElse(Integer.MAX_VALUE)));
    }

    private void print(PerplexityResult result) {
        Table table = Table.ofFigures(List.of(
                "cache", "bits/element", "cache bytes", "perplexity", "nll", "KLD", "KLD p99", "top-1", "tokens"));
        table.row(List.of(
                result.cache(),
                Cells.bits(result.bitsPerElement()),
                Cells.count(result.cacheBytes()),
                String.format(Locale.ROOT, "%.4f", result.ppl()),
                String.format(Locale.ROOT, "%.5f", result.nll()),
                Cells.divergence(result.kld()),
                Cells.divergence(result.kldP99()),
                Cells.percent(result.top1()),
                String.format(Locale.ROOT, "%,d", result.tokens())));
        table.print(terminal);
    }
}
