package dev.kvasir.cli.option;

import dev.kvasir.cli.Terminal;
import dev.kvasir.lab.report.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Stack;
import picocli.CommandLine.IParameterPreprocessor;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** Results for programs. */
public final class JsonOption {
    private static final String STANDARD_OUTPUT = "-";

    @Option(
            names = "--json",
            arity = "0..1",
            fallbackValue = STANDARD_OUTPUT,
            paramLabel = "FILE",
            preprocessor = OnlyJsonFiles.class,
            description = "Write the result as JSON to FILE, whose name ends in .json unless given as --json=FILE."
                    + " Without FILE, or with -, to stdout in place of the table.")
    private Optional<String> target = Optional.empty();

    /** Whether JSON takes the place of the table on standard output. */
    public boolean toOutput() {
        return target.filter(STANDARD_OUTPUT::equals).isPresent();
    }

    /** Writes {@code result}, a record, if the user asked for it. */
    public void write(Object result, Terminal terminal) throws IOException {
        if (target.isEmpty()) {
            return;
        }
        String json = Json.write(result);
        if (toOutput()) {
            terminal.out().println(json);
        } else {
            Files.writeString(Path.of(target.get()), json + "\n");
        }
    }

    /** Keeps {@code --json model} from taking the model, an argument of its own, for the file to write. */
    static final class OnlyJsonFiles implements IParameterPreprocessor {
        @Override
        public boolean preprocess(
                Stack<String> arguments, CommandSpec command, ArgSpec option, Map<String, Object> parse) {
            boolean attached = parse.get("separator") != null;
            if (!attached && !arguments.isEmpty()) {
                String next = arguments.peek();
                if (!next.equals(STANDARD_OUTPUT) && !next.endsWith(".json")) {
                    option.setValue(Optional.of(STANDARD_OUTPUT));
                    return true;
                }
            }
            return false;
        }
    }
}
