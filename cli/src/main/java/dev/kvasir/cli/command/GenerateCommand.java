package dev.kvasir.cli.command;

import dev.kvasir.cache.KvCache;
import dev.kvasir.chat.ChatTemplate;
import dev.kvasir.chat.Message;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import dev.kvasir.cli.option.CacheSpecOption;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.PrecisionOption;
import dev.kvasir.cli.option.SamplingMixin;
import dev.kvasir.cli.option.WeightsOption;
import dev.kvasir.engine.Generator;
import dev.kvasir.engine.SamplingOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir generate}: continues a text. */
@Command(
        name = "generate",
        mixinStandardHelpOptions = true,
        header = "Continues a text.",
        description = {"", "The text appears as it is made; what the run took goes to stderr with --stats."},
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir generate --prompt \"Once upon a time\" --temperature 0",
            "  kvasir generate --prompt-file book.txt --save-cache book.kv --cache 'kivi(bits=2)' -n 1",
            "  kvasir generate --load-cache book.kv --prompt \" And then\" --stats",
        })
public final class GenerateCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Mixin
    private final ModelOption model = new ModelOption();

    @Mixin
    private final WeightsOption weights = new WeightsOption();

    @Mixin
    private final CacheSpecOption cache = new CacheSpecOption();

    @Mixin
    private final ComputeOptions compute = new ComputeOptions();

    @Mixin
    private final PrecisionOption precision = new PrecisionOption();

    @Mixin
    private final SamplingMixin sampling = new SamplingMixin();

    @Option(
            names = {"-p", "--prompt"},
            paramLabel = "TEXT",
            description = "The text to continue. Default: standard input.")
    private Optional<String> prompt = Optional.empty();

    @Option(
            names = {"-f", "--prompt-file"},
            paramLabel = "FILE",
            description = "A file that holds the text to continue.")
    private Optional<Path> promptFile = Optional.empty();

    @Option(
            names = "--chat",
            description = "Take the text as a user's turn, which the model answers by its chat template.")
    private boolean chat;

    @Option(names = "--echo", description = "Print the prompt before its continuation.")
    private boolean echo;

    @Option(
            names = "--load-cache",
            paramLabel = "FILE",
            description = "Go on from a cache that --save-cache wrote for this model; --cache is then not used.")
    private Optional<Path> loadCache = Optional.empty();

    @Option(names = "--save-cache", paramLabel = "FILE", description = "Write the cache when done.")
    private Optional<Path> saveCache = Optional.empty();

    @Option(names = "--stats", description = "Say on stderr what the run took: tokens per second and cache bytes.")
    private boolean stats;

    /** The command on these streams. */
    public GenerateCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        SamplingOptions options = sampling.options();
        String text = Sources.text(prompt.stream().toList(), promptFile, terminal, "the prompt");
        try (Session session = Session.open(model, compute, precision.precision(), weights, terminal);
                KvCache held = loadCache.isPresent() ? session.load(loadCache.get()) : session.newCache(cache.spec())) {
            Optional<ChatTemplate> template = chat ? Optional.of(template(session)) : Optional.empty();
            int[] ids = template.map(t -> session.tokenizer().encode(t.render(List.of(Message.user(text)), true)))
                    .orElseGet(() -> session.prompt(text, held));
            if (echo) {
                terminal.out().print(text);
            }
            Generator.Result result = template.map(session::newGenerator)
                    .orElseGet(session::newGenerator)
                    .generate(held, ids, options, this::show);
            terminal.out().println();
            terminal.out().flush();
            if (stats) {
                say(result, held, options);
                terminal.err()
                        .println("prompts computed in " + session.precision().description());
            }
            if (saveCache.isPresent()) {
                session.takeLast(held, result);
                session.save(held, saveCache.get());
            }
        }
        return 0;
    }

    private static ChatTemplate template(Session session) {
        return session.chatTemplate()
                .orElseThrow(() -> new UsageException(
                        "--chat needs a chat template: " + session.model().name() + " has none"));
    }

    private void show(String text) {
        terminal.out().print(text);
        terminal.out().flush();
    }

    private void say(Generator.Result result, KvCache held, SamplingOptions options) {
        terminal.err()
                .println(Speed.of(result) + ", ended by "
                        + result.finish().name().toLowerCase(Locale.ROOT) + ", seed " + options.seed());
        terminal.err().println("cache " + CacheLine.of(held));
        held.remarks().forEach(terminal.err()::println);
    }
}
