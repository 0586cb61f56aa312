package dev.kvasir.cli.command;

import dev.kvasir.cli.ProgressDisplay;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.WeightTypeConverter;
import dev.kvasir.format.GgufModelWriter;
import dev.kvasir.format.Models;
import dev.kvasir.format.gguf.GgufPairs;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Workers;
import dev.kvasir.tokenizer.GgufTokenizerPairs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir convert gguf}: a Hugging Face folder, or a GGUF file, as a GGUF file of another type. */
@Command(
        name = "gguf",
        mixinStandardHelpOptions = true,
        header = "Writes a model as one GGUF file.",
        description = {
            "",
            "The file holds weights, configuration, tokenizer and chat template, for Kvasir and for other programs that read"
                    + " GGUF. Families: Llama, Mistral, Qwen 2 and 3, Phi-3, Gemma 2 and 3.",
            "",
            "--type rounds all matrices; norms and biases are f32, and the matrix that gives the logits keeps 8 bits or more."
                    + " q8_0 takes 8.5 bits for a weight, q4_0 4.5.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir convert gguf --type bf16 --out tiny.gguf",
            "  kvasir convert gguf --model ~/models/llama --type q8_0 --out llama-q8_0.gguf",
        })
public final class ConvertGgufCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Mixin
    private final ModelOption model = new ModelOption();

    @Option(
            names = {"-o", "--out"},
            paramLabel = "FILE",
            required = true,
            description = "The file to write.")
    private Path out = Path.of("");

    @Option(
            names = {"-t", "--type"},
            paramLabel = "TYPE",
            required = true,
            converter = WeightTypeConverter.class,
            description = "Type of the matrices: q8_0, q5_1, q5_0, q4_1, q4_0, bf16, f16 or f32.")
    private DType type = DType.F32;

    @Option(names = "--force", description = "Write over a file that is there.")
    private boolean force;

    /** The command on these streams. */
    public ConvertGgufCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        OutputFiles.requireNew(out, force);
        Path path = model.folder();
        // The old file would be the source of the new one.
        if (Files.exists(out) && Files.isSameFile(path, out)) {
            throw new UsageException("--out " + out + " is the model itself: name another file");
        }
        Model opened = Models.open(path);
        ModelConfig config = opened.config();
        GgufPairs tokenizer = GgufTokenizerPairs.of(
                path, config.vocabularySize(), config.bosToken(), config.eosTokens(), this::remark);
        try (Workers workers = Workers.of(new ComputeOptions().threads());
                ProgressDisplay progress = new ProgressDisplay(terminal)) {
            GgufModelWriter.write(opened, tokenizer, type, out, workers, Progresses.weights(progress, "convert"));
        }
        terminal.out().printf("%s: %,d bytes%n", out, Files.size(out));
        return 0;
    }

    private void remark(String line) {
        terminal.err().println("convert: " + line);
    }
}
