package dev.kvasir.cli;

import dev.kvasir.cli.command.BenchCommand;
import dev.kvasir.cli.command.CalibrateCommand;
import dev.kvasir.cli.command.ChatCommand;
import dev.kvasir.cli.command.CompareCommand;
import dev.kvasir.cli.command.CompletionCommand;
import dev.kvasir.cli.command.ConvertBfpCommand;
import dev.kvasir.cli.command.ConvertCommand;
import dev.kvasir.cli.command.ConvertGgufCommand;
import dev.kvasir.cli.command.ConvertOutliersCommand;
import dev.kvasir.cli.command.GenerateCommand;
import dev.kvasir.cli.command.InfoCommand;
import dev.kvasir.cli.command.MethodsCommand;
import dev.kvasir.cli.command.PerplexityCommand;
import dev.kvasir.cli.command.TokenizeCommand;
import dev.kvasir.cli.command.TokenizerCommand;
import dev.kvasir.cli.command.TokenizerTrainCommand;
import dev.kvasir.cli.command.TrainCommand;
import dev.kvasir.cli.command.TrainHeadsCommand;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
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
        Kvasir root = new Kvasir(terminal);
        try {
            // Help is gathered first: picocli would report a closed output in its own way.
            StringWriter help = new StringWriter();
            int code = commandLine(root, terminal, new PrintWriter(help)).execute(args);
            terminal.out().print(help);
            terminal.out().flush();
            return code;
        } catch (OutputOrEnd.ClosedException | Error e) {
            return Failures.report(e, terminal.err(), root.verbose());
        } finally {
            terminal.err().flush();
        }
    }

    private static CommandLine commandLine(Kvasir root, Terminal terminal, PrintWriter help) {
        CommandLine line = new CommandLine(root)
                .addSubcommand(new CompareCommand(terminal))
                .addSubcommand(new GenerateCommand(terminal))
                .addSubcommand(new ChatCommand(terminal))
                .addSubcommand(new TokenizeCommand(terminal))
                .addSubcommand(new PerplexityCommand(terminal))
                .addSubcommand(new BenchCommand(terminal))
                .addSubcommand(new InfoCommand(terminal))
                .addSubcommand(new MethodsCommand(terminal))
                .addSubcommand(new CalibrateCommand(terminal))
                .addSubcommand(new CommandLine(new ConvertCommand(terminal))
                        .addSubcommand(new ConvertBfpCommand(terminal))
                        .addSubcommand(new ConvertGgufCommand(terminal))
                        .addSubcommand(new ConvertOutliersCommand(terminal)))
                .addSubcommand(
                        new CommandLine(new TrainCommand(terminal)).addSubcommand(new TrainHeadsCommand(terminal)))
                .addSubcommand(new CommandLine(new TokenizerCommand(terminal))
                        .addSubcommand(new TokenizerTrainCommand(terminal)))
                .addSubcommand(new CompletionCommand(terminal))
                .addSubcommand(new CommandLine.HelpCommand());
        line.setOut(help);
        line.setErr(new PrintWriter(terminal.err(), true, StandardCharsets.UTF_8));
        line.setColorScheme(CommandLine.Help.defaultColorScheme(terminal.colours() ? Ansi.ON : Ansi.OFF));
        line.setUsageHelpWidth(terminal.columns());
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setParameterExceptionHandler((e, arguments) -> usage(e, terminal));
        line.setExecutionExceptionHandler((e, where, parsed) -> Failures.report(e, terminal.err(), root.verbose()));
        line.getSubcommands().values().forEach(Main::layOutHelp);
        return line;
    }

    private static void layOutHelp(CommandLine line) {
        line.getCommandSpec()
                .usageMessage()
                .sortOptions(false)
                .abbreviateSynopsis(true)
                .optionListHeading("%n");
        line.getSubcommands().values().forEach(Main::layOutHelp);
    }

    private static int usage(ParameterException e, Terminal terminal) {
        String command = e.getCommandLine().getCommandSpec().qualifiedName();
        terminal.err().println("kvasir: " + Failures.oneLine(problem(e)) + " (see " + command + " --help)");
        terminal.err().flush();
        return Failures.USAGE;
    }

    private static String problem(ParameterException e) {
        if (e instanceof UnmatchedArgumentException unmatched
                && !unmatched.getUnmatched().isEmpty()) {
            String first = unmatched.getUnmatched().getFirst();
            List<String> nearest = unmatched.getSuggestions();
            return "unknown " + (first.startsWith("-") ? "option " : "command or argument ") + first
                    + (nearest.isEmpty() ? "" : "; nearest: " + String.join(", ", nearest));
        }
        String message = String.valueOf(e.getMessage()).replaceFirst("^Error: ", "");
        return message.substring(0, 1).toLowerCase(Locale.ROOT) + message.substring(1);
    }
}
