package dev.kvasir.cli.command;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.Caches;
import dev.kvasir.cli.Table;
import dev.kvasir.cli.Terminal;
import java.util.List;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code kvasir caches}: what there is to choose from, as the registry knows it. */
@Command(
        name = "caches",
        mixinStandardHelpOptions = true,
        header = "Lists the cache methods: what each keeps, who published it, its options.",
        footerHeading = "%nExamples:%n",
        footer = {"  kvasir caches", "  kvasir caches kivi", "  kvasir caches --markdown"})
public final class CachesCommand implements Runnable {
    private final Terminal terminal;

    @Parameters(arity = "0..1", paramLabel = "METHOD", description = "Only this method.")
    private String method = "";

    @Option(names = "--markdown", description = "One table of all methods, as the README has it.")
    private boolean markdown;

    /** The command on these streams. */
    public CachesCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        List<CacheMethod> methods = method.isEmpty() ? Caches.describe() : List.of(Caches.method(method));
        if (markdown) {
            terminal.out().print("| method with its defaults | what it keeps | source |\n|---|---|---|\n");
            methods.forEach(each -> terminal.out()
                    .print("| `" + withDefaults(each) + "` | " + each.summary() + " | " + each.source() + " |\n"));
            return;
        }
        String gap = "";
        for (CacheMethod each : methods) {
            terminal.out().print(gap);
            show(each);
            gap = System.lineSeparator();
        }
    }

    private void show(CacheMethod each) {
        terminal.out().println(each.name() + ": " + each.summary());
        terminal.out().println("  " + each.source());
        terminal.out().println("  " + withDefaults(each));
        if (!each.options().isEmpty()) {
            Table table = Table.ofText(List.of("  option", "default", "allowed", "meaning"));
            for (CacheOption option : each.options()) {
                table.row(List.of(
                        "  " + option.name(),
                        option.defaultValue().startsWith("@")
                                ? "as " + option.defaultValue().substring(1)
                                : option.defaultValue(),
                        option.allowedText(),
                        option.meaning()));
            }
            table.print(terminal);
        }
    }

    private static String withDefaults(CacheMethod method) {
        return method.options().stream()
                .filter(option -> !option.defaultValue().startsWith("@"))
                .map(option -> option.name() + "=" + option.defaultValue())
                .collect(Collectors.joining(", ", method.name() + "(", ")"));
    }
}
