package dev.kvasir.cli.command;

import dev.kvasir.cache.Calibration;
import dev.kvasir.cli.ProgressDisplay;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.Range;
import dev.kvasir.cli.option.SamplesOption;
import dev.kvasir.convert.KSort;
import dev.kvasir.convert.KeyPower;
import dev.kvasir.engine.SensitivitySource;
import dev.kvasir.format.ModelCopy;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir convert bfp}: K-sort folded into a model's weights. */
@Command(
        name = "bfp",
        mixinStandardHelpOptions = true,
        header = "Sorts key channels by size, so that blocks of them lose less to a shared exponent (K-sort).",
        description = {
            "",
            "Large channels come to lie beside large ones; rotary pairs stay together, and queries get the order of their"
                    + " keys, so the model computes what it did, at no cost. Without a text, channels are sorted by the norms"
                    + " of the key projection's rows; with one, by the root mean square of the keys.",
            "",
            "Only Kvasir reads the result: other engines do not know the layout. Caches that rotate keys themselves"
                    + " refuse it.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir convert bfp --model ~/models/llama --out llama-sorted",
            "  kvasir convert bfp --model ~/models/llama --text book.txt --block 64 --out llama-sorted",
        })
public final class ConvertBfpCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Mixin
    private final ModelOption model = new ModelOption();

    @Option(
            names = {"-o", "--out"},
            paramLabel = "DIR",
            required = true,
            description = "Folder for the converted model, new or empty.")
    private Path out = Path.of("");

    @Option(
            names = "--block",
            paramLabel = "N",
            defaultValue = "32",
            description = "Channels that share an exponent: even, a divisor of the head's and less than them."
                    + " Default: ${DEFAULT-VALUE}.")
    private int block;

    @Option(
            names = {"-t", "--text"},
            paramLabel = "FILE",
            description = "Sort by the keys of this text, UTF-8; - is standard input. Default: by the weights.")
    private Optional<Path> text = Optional.empty();

    @Mixin
    private final SamplesOption samples = new SamplesOption();

    @Mixin
    private final ComputeOptions compute = new ComputeOptions();

    /** The command on these streams. */
    public ConvertBfpCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        samples.check();
        Range.check("--block", block, 2, Integer.MAX_VALUE);
        ModelCopy.requireFree(out);
        try (Session session = Session.open(model, compute)) {
            Model opened = session.model();
            KSort.requireUsual(opened);
            KSort.checkBlock(opened.config(), block);
            float[][] scores = text.isEmpty() ? KSort.weightScores(opened) : textScores(session);
            KSort.convert(model.folder(), opened, out, KSort.orders(opened.config(), block, scores));
        }
        terminal.out().println("sorted in blocks of " + block + " channels: " + out);
        return 0;
    }

    private float[][] textScores(Session session) throws IOException {
        ModelConfig config = session.model().config();
        try (ProgressDisplay progress = new ProgressDisplay(terminal)) {
            List<int[]> sequences = samples.of(config.contextLength())
                    .draw(session.tokenizer().encode(Sources.text(List.of(), text, terminal, "the text")));
            KeyPower power = new KeyPower(config.cacheShape(), session.model().fingerprint());
            Calibration learnt =
                    session.calibrationRun().run(power, sequences, SensitivitySource.NONE, Progresses.of(progress));
            progress.finish();
            return KSort.textScores(learnt, config);
        }
    }
}
