package dev.kvasir.cli.command;

import dev.kvasir.cli.Terminal;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code kvasir completion}: a completion script for bash and zsh. */
@Command(
        name = "completion",
        mixinStandardHelpOptions = true,
        header = "Prints a completion script for bash or zsh.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  eval \"$(kvasir completion)\"                     for this shell",
            "  kvasir completion > ~/.kvasir-completion        then: . ~/.kvasir-completion in .bashrc or .zshrc",
        })
public final class CompletionCommand implements Runnable {
    private final Terminal terminal;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** The command on these streams. */
    public CompletionCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        terminal.out().print(AutoComplete.bash("kvasir", spec.root().commandLine()));
    }
}
