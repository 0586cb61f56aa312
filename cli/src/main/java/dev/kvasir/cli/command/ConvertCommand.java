package dev.kvasir.cli.command;

import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code kvasir convert}: the commands that read a model and write a model. */
@Command(
        name = "convert",
        mixinStandardHelpOptions = true,
        header = "Writes a model anew so that a cache serves it better.")
public final class ConvertCommand implements Runnable {
    private final Terminal terminal;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** The command on these streams. */
    public ConvertCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        spec.commandLine().usage(terminal.err());
        throw new UsageException("convert needs one of its commands");
    }
}
