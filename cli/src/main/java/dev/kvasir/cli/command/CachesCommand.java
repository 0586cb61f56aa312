package dev.kvasir.cli.command;

import dev.kvasir.cache.Caches;
import dev.kvasir.cli.Terminal;
import picocli.CommandLine.Command;

/** {@code kvasir caches}: what there is to choose from. */
@Command(name = "caches", mixinStandardHelpOptions = true, header = "Lists the cache methods and their options.")
public final class CachesCommand implements Runnable {
    private final Terminal terminal;

    /** The command on these streams. */
    public CachesCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        Caches.methods().forEach(terminal.out()::println);
    }
}
