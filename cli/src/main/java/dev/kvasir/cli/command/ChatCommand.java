package dev.kvasir.cli.command;

import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.option.CacheSpecOption;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.PrecisionOption;
import dev.kvasir.cli.option.SamplingMixin;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code kvasir chat}: takes turns with a model. */
@Command(
        name = "chat",
        mixinStandardHelpOptions = true,
        header = "Takes turns with a model and shows what its cache holds.",
        description = {
            "",
            "Each line you type is added to one growing text, which the model continues. No chat template is applied,"
                    + " so models trained on one answer less well than they could.",
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
    private final CacheSpecOption cache = new CacheSpecOption();

    @Mixin
    private final ComputeOptions compute = new ComputeOptions();

    @Mixin
    private final PrecisionOption precision = new PrecisionOption();

    @Mixin
    private final SamplingMixin sampling = new SamplingMixin();

    /** The command on these streams. */
    public ChatCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        try (Session session = Session.open(model, compute, precision.precision());
                Chat chat = new Chat(session, cache.spec(), sampling, terminal)) {
            chat.run();
        }
        return 0;
    }
}
