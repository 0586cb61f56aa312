package dev.kvasir.cli.command;

import dev.kvasir.chat.ChatTemplate;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import dev.kvasir.cli.option.CacheSpecOption;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.PrecisionOption;
import dev.kvasir.cli.option.SamplingMixin;
import dev.kvasir.cli.option.WeightsOption;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir chat}: takes turns with a model. */
@Command(
        name = "chat",
        mixinStandardHelpOptions = true,
        header = "Takes turns with a model and shows what its cache holds.",
        description = {
            "",
            "Each line you type is a turn, written as the model's chat template says. A model without one continues one"
                    + " growing text, to which each line is added.",
            "",
            "Within the chat: /help /cache /reset /save FILE /load FILE /exit"
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir chat --cache 'kivi(bits=2)'",
            "  kvasir chat --model ~/models/llama --max-tokens 64 --stop $'\\n'",
            "  printf 'Once upon a time\\n/cache\\n' | kvasir chat --temperature 0",
        })
public final class ChatCommand implements Callable<Integer> {
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

    @Option(names = "--system", paramLabel = "TEXT", description = "What the model is told before the first turn.")
    private Optional<String> system = Optional.empty();

    @Option(names = "--no-template", description = "Continue one growing text, although the model has a chat template.")
    private boolean noTemplate;

    /** The command on these streams. */
    public ChatCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        try (Session session = Session.open(model, compute, precision.precision(), weights, terminal)) {
            Optional<ChatTemplate> template = noTemplate ? Optional.empty() : session.chatTemplate();
            if (system.isPresent() && template.isEmpty()) {
                throw new UsageException("--system needs a chat template: "
                        + (noTemplate
                                ? "--no-template is given"
                                : session.model().name() + " has none"));
            }
            try (Chat chat = new Chat(session, cache.spec(), sampling, terminal, template, system)) {
                chat.run();
            }
        }
        return 0;
    }
}
