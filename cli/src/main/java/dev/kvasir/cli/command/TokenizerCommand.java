package dev.kvasir.cli.command;

import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code kvasir tokenizer}: the commands that make tokenizers. */
@Command(name = "tokenizer", mixinStandardHelpOptions = true, header = "Makes tokenizers.")
public final class TokenizerCommand implements Runnable {
    private final Terminal terminal;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** The command on these streams. */
    public TokenizerCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        spec.commandLine().usage(terminal.err());
        throw new UsageException("tokenizer needs one of its commands");
    }
}
