package dev.kvasir.cli.command;

import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.Range;
import dev.kvasir.convert.PlantedOutliers;
import dev.kvasir.format.ModelCopy;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir convert outliers}: outlier channels in keys, without changing what a model computes. */
@Command(
        name = "outliers",
        mixinStandardHelpOptions = true,
        header = "Plants outlier channels in keys; the model computes what it did.",
        description = {
            "",
            "Large models have a few key channels of great magnitude, small ones do not. This multiplies some rotary pairs of"
                    + " every key head by a power of two and divides the queries' by it, so that a small model shows what"
                    + " caches do about outliers.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir convert outliers --out spiky",
            "  kvasir convert outliers --model ~/models/llama --pairs 6 --power 4 --out llama-spiky",
        })
public final class ConvertOutliersCommand implements Callable<Integer> {
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
            names = "--pairs",
            paramLabel = "N",
            defaultValue = "3",
            description = "Rotary pairs of each KV head that grow. Default: ${DEFAULT-VALUE}.")
    private int pairs;

    @Option(
            names = "--power",
            paramLabel = "N",
            defaultValue = "3",
            description = "They grow by 2 to the power of N, 1 to 8. Default: ${DEFAULT-VALUE}.")
    private int power;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Chooses the pairs. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Mixin
    private final ComputeOptions compute = new ComputeOptions();

    /** The command on these streams. */
    public ConvertOutliersCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        Range.check("--seed", seed, 0, Long.MAX_VALUE);
        ModelCopy.requireFree(out);
        try (Session session = Session.open(model, compute)) {
            PlantedOutliers.convert(model.folder(), session.model(), out, pairs, power, seed);
        }
        terminal.out().println(pairs + " pairs of each key head grew by " + (1 << power) + ": " + out);
        return 0;
    }
}
