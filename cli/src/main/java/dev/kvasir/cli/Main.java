package dev.kvasir.cli;

import dev.kvasir.cli.command.CachesCommand;
import dev.kvasir.cli.command.ChatCommand;
import dev.kvasir.cli.command.CompletionCommand;
import dev.kvasir.cli.command.GenerateCommand;
import dev.kvasir.cli.command.TokenizeCommand;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Where the {@code kvasir} command starts. */
public final class Main {
    private Main() {}

    /** Runs the command and ends the process with its exit code. */
    public static void main(String[] args) {
        Terminal terminal = Terminal.ofProcess();
        System.setErr(terminal.err());
        System.exit(run(terminal, args));
    }

    /**
     * Runs the command.
     *
     * @return 0 if all went well, 1 if a file, an input or a budget did not serve, 2 if the command line was wrong
     */
    public static int run(Terminal terminal, String... args) {
        Kvasir root = new Kvasir();
        try {
            int code = commandLine(root, terminal).execute(args);
            terminal.out().flush();
            return code;
        } catch (OutputOrEnd.ClosedException | Error e) {
            return Failures.report(e, terminal.err(), root.verbose());
        } finally {
            terminal.err().flush();
        }
    }

    private static CommandLine commandLine(Kvasir root, Terminal terminal) {
        CommandLine line = new CommandLine(root)
                .addSubcommand(new GenerateCommand(terminal))
                .addSubcommand(new ChatCommand(terminal))
                .addSubcommand(new TokenizeCommand(terminal))
                .addSubcommand(new CachesCommand(terminal))
                .addSubcommand(new CompletionCommand(terminal))
                .addSubcommand(new CommandLine.HelpCommand());
        line.setOut(new PrintWriter(terminal.out(), true, StandardCharsets.UTF_8));
        line.setErr(new PrintWriter(terminal.err(), true, StandardCharsets.UTF_8));
        line.setColorScheme(CommandLine.Help.defaultColorScheme(terminal.colours() ? Ansi.ON : Ansi.OFF));
        line.setUsageHelpWidth(terminal.columns());
        line.getSubcommands()
                .values()
                .forEach(command -> command.getCommandSpec()
                        .usageMessage()
                        .sortOptions(false)
                        .abbreviateSynopsis(true)
                        .optionListHeading("%n"));
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setParameterExceptionHandler((e, arguments) -> usage(e, terminal));
        line.setExecutionExceptionHandler((e, where, parsed) -> Failures.report(e, terminal.err(), root.verbose()));
        line.setExecutionStrategy(parsed -> {
            CommandLine last = parsed.asCommandLineList().getLast();
            if (last.getCommand() instanceof Kvasir
                    && !parsed.isUsageHelpRequested()
                    && !parsed.isVersionHelpRequested()) {
                last.usage(terminal.err(), last.getColorScheme());
                return Failures.USAGE;
            }
            return new CommandLine.RunLast().execute(parsed);
        });
        return line;
    }

    private static int usage(ParameterException e, Terminal terminal) {
        StringBuilder text = new StringBuilder(String.valueOf(e.getMessage())
                .replaceFirst("^Error: ", "")
                .replaceFirst("^Unmatched argument at index \\d+: ", "unknown command or argument "));
        if (e instanceof UnmatchedArgumentException unmatched) {
            List<String> nearest = unmatched.getSuggestions();
            if (!nearest.isEmpty()) {
                text.append("; nearest: ").append(String.join(", ", nearest));
            }
        }
        String command = e.getCommandLine().getCommandSpec().qualifiedName();
        terminal.err().println("kvasir: " + Failures.oneLine(text.toString()) + " (see " + command + " --help)");
        terminal.err().flush();
        return Failures.USAGE;
    }
}
