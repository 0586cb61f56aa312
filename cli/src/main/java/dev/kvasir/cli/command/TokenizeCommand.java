package dev.kvasir.cli.command;

import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.format.Models;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code kvasir tokenize}: text to token ids, or back. */
@Command(
        name = "tokenize",
        mixinStandardHelpOptions = true,
        header = "Shows the tokens of a text, or the text of token ids.",
        description = {"", "No special token is added. The text is taken from the arguments, a file or standard input."
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir tokenize \"Kvasir was wise.\"",
            "  kvasir tokenize --ids --file book.txt | wc -w",
            "  kvasir tokenize --ids \"Kvasir\" | kvasir tokenize --decode",
        })
public final class TokenizeCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Mixin
    private final ModelOption model = new ModelOption();

    @Parameters(arity = "0..*", paramLabel = "TEXT", description = "The text, or with --decode the ids.")
    private List<String> words = new ArrayList<>();

    @Option(
            names = {"-f", "--file"},
            paramLabel = "FILE",
            description = "Take the text from FILE; - is standard input.")
    private Optional<Path> file = Optional.empty();

    @ArgGroup
    private Form form = new Form();

    /** What is printed. */
    static final class Form {
        @Option(names = "--ids", description = "Print the ids alone, on one line, separated by spaces.")
        private boolean ids;

        @Option(names = "--decode", description = "Print the text of ids.")
        private boolean decode;
    }

    /** The command on these streams. */
    public TokenizeCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        String text = Sources.text(words, file, terminal, form.decode ? "the list of ids" : "the text");
        Path folder = model.folder();
        ModelConfig config = Models.open(folder).config();
        try (Tokenizer tokenizer = Tokenizer.open(folder, config.vocabularySize())) {
            if (form.decode) {
                terminal.out().println(tokenizer.decode(ids(text, config.vocabularySize())));
            } else if (form.ids) {
                terminal.out()
                        .println(Arrays.stream(tokenizer.encode(text))
                                .mapToObj(Integer::toString)
                                .collect(Collectors.joining(" ")));
            } else {
                table(tokenizer, text);
            }
        }
        return 0;
    }

    private void table(Tokenizer tokenizer, String text) {
        Tokenizer.Encoding encoding = tokenizer.encodeWithOffsets(text);
        for (int i = 0; i < encoding.ids().length; i++) {
            String piece = text.substring(encoding.starts()[i], encoding.ends()[i]);
            terminal.out().printf(Locale.ROOT, "%8d  %s%n", encoding.ids()[i], quoted(piece));
        }
        int bytes = text.getBytes(StandardCharsets.UTF_8).length;
        terminal.out().printf(Locale.ROOT, "%d tokens, %d bytes%n", encoding.ids().length, bytes);
    }

    private static String quoted(String piece) {
        return "\""
                + piece.replace("\\", "\\\\")
                        .replace("\n", "\\n")
                        .replace("\r", "\\r")
                        .replace("\t", "\\t")
                        .replace("\"", "\\\"")
                        .replaceAll("\\p{Cntrl}", "?")
                + "\"";
    }

    private static int[] ids(String text, int vocabularySize) {
        String[] words = text.strip().isEmpty() ? new String[0] : text.strip().split("[\\s,]+");
        int[] ids = new int[words.length];
        for (int i = 0; i < words.length; i++) {
            try {
                ids[i] = Integer.parseInt(words[i]);
            } catch (NumberFormatException e) {
                ids[i] = -1;
            }
            if (ids[i] < 0 || ids[i] >= vocabularySize) {
                throw new UsageException("token " + (i + 1) + " is '" + words[i] + "': allowed is a number from 0 to "
                        + (vocabularySize - 1));
            }
        }
        return ids;
    }
}
