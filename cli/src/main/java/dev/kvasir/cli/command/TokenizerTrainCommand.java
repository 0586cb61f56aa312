package dev.kvasir.cli.command;

import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.option.Range;
import dev.kvasir.train.tokenizer.Algorithm;
import dev.kvasir.train.tokenizer.Progress;
import dev.kvasir.train.tokenizer.Search;
import dev.kvasir.train.tokenizer.TokenizerComparison;
import dev.kvasir.train.tokenizer.TokenizerOptions;
import dev.kvasir.train.tokenizer.TokenizerTraining;
import dev.kvasir.train.tokenizer.TrainedTokenizer;
import dev.kvasir.train.tokenizer.WordCounts;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code kvasir tokenizer train}: learns a tokenizer from text. */
@Command(
        name = "train",
        mixinStandardHelpOptions = true,
        header = "Learns a byte-level tokenizer from text and writes tokenizer.json.",
        description = {
            "",
            "The same text and options always give the same tokenizer. `best` trains both kinds on the first nine tenths"
                    + " of each text, measures them in bits per byte on the last tenths, and writes the better one.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir tokenizer train --output tokenizer book1.txt book2.txt",
            "  kvasir tokenizer train --algorithm swe --search em --vocabulary-size 2048 --output tok book.txt",
        })
public final class TokenizerTrainCommand implements Callable<Integer> {
    private static final int LEAST_VOCABULARY = 259;
    private static final int MOST_VOCABULARY = 1 << 20;

    private final Terminal terminal;

    /** Which kind to write. */
    enum Choice {
        BPE,
        SWE,
        BEST
    }

    @Parameters(arity = "1..*", paramLabel = "FILE", description = "Texts to learn from, UTF-8.")
    private List<Path> files = new ArrayList<>();

    @Option(
            names = {"-o", "--output"},
            paramLabel = "DIR",
            required = true,
            description = "Folder for tokenizer.json and tokenizer_config.json; made if missing.")
    private Path output = Path.of("");

    @Option(
            names = {"-a", "--algorithm"},
            paramLabel = "HOW",
            defaultValue = "best",
            description = "bpe (byte-pair encoding), swe (sub-word encoding by likelihood) or best."
                    + " Default: ${DEFAULT-VALUE}.")
    private Choice algorithm = Choice.BEST;

    @Option(
            names = "--search",
            paramLabel = "HOW",
            defaultValue = "em",
            description =
                    "How swe looks for its vocabulary: em, greedy or exact (tiny texts). Default: ${DEFAULT-VALUE}.")
    private Search search = Search.EM;

    @Option(
            names = {"-v", "--vocabulary-size"},
            paramLabel = "N",
            defaultValue = "4096",
            description = "Ids in all: the 256 bytes, pieces and 3 special tokens. Default: ${DEFAULT-VALUE}.")
    private int vocabularySize;

    /** The command on these streams. */
    public TokenizerTrainCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        Range.check("--vocabulary-size", vocabularySize, LEAST_VOCABULARY, MOST_VOCABULARY);
        List<String> texts = new ArrayList<>();
        for (Path file : files) {
            texts.add(Sources.text(List.of(), Optional.of(file), terminal, "the text"));
        }
        TokenizerOptions options = TokenizerOptions.swe(search, vocabularySize);
        TrainedTokenizer trained = switch (algorithm) {
            case BPE -> TokenizerTraining.train(options.with(Algorithm.BPE), texts, progress());
            case SWE -> TokenizerTraining.train(options, texts, progress());
            case BEST -> better(options, texts);
        };
        trained.writeTo(output);
        terminal.out()
                .printf(
                        Locale.ROOT,
                        "%s with %,d ids in %s%n",
                        trained.options().algorithm(),
                        trained.vocabularySize(),
                        output.resolve("tokenizer.json"));
        return 0;
    }

    private TrainedTokenizer better(TokenizerOptions options, List<String> texts) {
        List<String> first =
                texts.stream().map(text -> text.substring(0, heldOutFrom(text))).toList();
        List<String> last =
                texts.stream().map(text -> text.substring(heldOutFrom(text))).toList();
        TokenizerComparison comparison = TokenizerComparison.run(
                options,
                WordCounts.of(first.iterator(), options.specialTokens()),
                WordCounts.of(last.iterator(), options.specialTokens()),
                progress());
        terminal.out().println(comparison.reason());
        return comparison.better();
    }

    /** Where the last tenth begins, at a line's start where there is one. */
    private static int heldOutFrom(String text) {
        int tenth = (int) (text.length() * 9L / 10);
        int line = text.indexOf('\n', tenth);
        return line < 0 ? tenth : line + 1;
    }

    private Progress progress() {
        ProgressLines lines = new ProgressLines(terminal);
        return lines::report;
    }
}
