package dev.kvasir.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command above all commands. */
@Command(
        name = "kvasir",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND",
        header = {"LLM inference with compressed KV caches, measured side by side.", ""},
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir compare                      the shipped model with several caches, and report.html",
            "  kvasir generate --prompt \"Once\" --cache 'kivi(bits=2)'",
            "  kvasir help generate                all about one command",
            "  eval \"$(kvasir completion)\"         completion for this bash or zsh",
            "",
            "Exit codes: 0 all went well, 1 a file, an input or a budget did not serve, 2 the command line was wrong."
        })
final class Kvasir implements Callable<Integer> {
    private final Terminal terminal;

    @Option(names = "--verbose", scope = ScopeType.INHERIT, description = "On an error, show where it happened.")
    private boolean verbose;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    Kvasir(Terminal terminal) {
        this.terminal = terminal;
    }

    boolean verbose() {
        return verbose;
    }

    /** No command was named: says which there are. */
    @Override
    public Integer call() {
        spec.commandLine().usage(terminal.err());
        return Failures.USAGE;
    }
}
