package dev.kvasir.cli.command;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.format.GgufModelWriter;
import dev.kvasir.format.Models;
import dev.kvasir.format.gguf.GgufPairs;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.DType;
import dev.kvasir.tokenizer.GgufTokenizerPairs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir convert gguf}: a Hugging Face folder as one GGUF file. */
@Command(
        name = "gguf",
        mixinStandardHelpOptions = true,
        header = "Writes a Hugging Face folder as one GGUF file.",
        description = {
            "",
            "The file holds weights, configuration, tokenizer and chat template, for Kvasir and for other programs that read"
                    + " GGUF. Families: Llama, Mistral, Qwen 2 and 3, with byte-level BPE tokenizers.",
            "",
            "--weights rounds all matrices; norms and biases stay f32. q8_0 takes 8.5 bits for a weight, q4_0 4.5.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir convert gguf --out tiny.gguf",
            "  kvasir convert gguf --model ~/models/llama --weights q8_0 --out llama-q8_0.gguf",
        })
public final class ConvertGgufCommand implements Callable<Integer> {
    private final Terminal terminal;

    /** What matrices may be made. */
    enum WeightType {
        F32,
        F16,
        BF16,
        Q8_0,
        Q4_0;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Mixin
    private final ModelOption model = new ModelOption();

    @Option(
            names = {"-o", "--out"},
            paramLabel = "FILE",
            required = true,
            description = "The file to write.")
    private Path out = Path.of("");

    @Option(
            names = {"-w", "--weights"},
            paramLabel = "TYPE",
            description = "Type of the matrices: ${COMPLETION-CANDIDATES}. Default: as they are.")
    private Optional<WeightType> weights = Optional.empty();

    @Option(names = "--force", description = "Write over a file that is there.")
    private boolean force;

    /** The command on these streams. */
    public ConvertGgufCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        OutputFiles.requireNew(out, force);
        Path folder = model.folder();
        if (Models.isGguf(folder)) {
            throw new InvalidInputException(folder + " is a GGUF file already: name a Hugging Face folder");
        }
        Model opened = Models.open(folder);
        GgufPairs tokenizer = GgufTokenizerPairs.of(
                folder,
                opened.config().vocabularySize(),
                opened.config().bosToken(),
                opened.config().eosTokens());
        GgufModelWriter.write(opened, tokenizer, weights.map(type -> DType.valueOf(type.name())), out);
        terminal.out().println("%,d bytes: %s".formatted(Files.size(out), out));
        return 0;
    }
}
