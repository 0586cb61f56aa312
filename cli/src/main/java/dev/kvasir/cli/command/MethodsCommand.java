package dev.kvasir.cli.command;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cli.Table;
import dev.kvasir.cli.Terminal;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code kvasir methods}: what there is to choose from, as the registry knows it. */
@Command(
        name = "methods",
        aliases = "caches",
        mixinStandardHelpOptions = true,
        header = "Lists the cache methods, or explains one.",
        description = {
            "",
            "Bits per element are those that a cache with default options allocates for " + MethodsCommand.TOKENS
                    + " tokens of a model with 32 layers of 8 KV heads of 128 channels.",
        },
        footerHeading = "%nExamples:%n",
        footer = {"  kvasir methods", "  kvasir methods kivi", "  kvasir methods --markdown"})
public final class MethodsCommand implements Runnable {
    static final int TOKENS = 8192;
    /** Llama 3.1 8B: what most people would run. */
    private static final CacheShape SHAPE = new CacheShape(32, 32, 8, 128, 4096);

    private static final int WIDTH = 100;

    private final Terminal terminal;

    @Parameters(arity = "0..1", paramLabel = "METHOD", description = "Explain this method.")
    private String method = "";

    @Option(names = "--markdown", description = "The table as the README has it.")
    private boolean markdown;

    /** The command on these streams. */
    public MethodsCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        List<CacheMethod> methods = method.isEmpty() ? Caches.describe() : List.of(Caches.method(method));
        if (markdown) {
            markdown(methods);
        } else if (method.isEmpty()) {
            table(methods);
        } else {
            explain(methods.getFirst());
        }
    }

    private void markdown(List<CacheMethod> methods) {
        terminal.out().print("""
                | method with its defaults | bits/element | calibration | what it keeps | source |
                |---|---|---|---|---|
                """);
        for (CacheMethod each : methods) {
            terminal.out()
                    .print("| `" + withDefaults(each) + "` | " + bits(each) + " | " + calibration(each) + " | "
                            + each.summary() + " | " + each.source() + " |\n");
        }
    }

    private void table(List<CacheMethod> methods) {
        Table table = Table.ofText(List.of("method", "bits/element", "calibration", "what it keeps", "source"));
        for (CacheMethod each : methods) {
            table.row(List.of(each.name(), bits(each), calibration(each), each.summary(), each.source()));
        }
        table.print(terminal);
    }

    private void explain(CacheMethod each) {
        MethodNotes notes = each.notes();
        terminal.out().println(each.name() + ": " + each.summary());
        terminal.out().println("  " + each.source());
        terminal.out().println("  " + withDefaults(each));
        paragraph("", notes.idea());
        terminal.out().println();
        terminal.out()
                .println("Bits per element: " + bits(each) + " with these options"
                        + (notes.bits().isEmpty() ? "" : "; " + notes.bits()));
        terminal.out()
                .println("Calibration: "
                        + (each.needsCalibration()
                                ? "needed; `" + each.calibratedBy() + "` makes it"
                                : each.canCalibrate()
                                        ? "for some options; `kvasir calibrate " + each.name() + "` makes it"
                                        : "none needed"));
        options(each);
        figures("In the paper:", notes.paperFigures());
        figures("Measured here:", notes.ourFigures());
    }

    private void options(CacheMethod each) {
        if (each.options().isEmpty()) {
            return;
        }
        terminal.out().println();
        Table table = Table.ofText(List.of("option", "default", "allowed", "meaning"));
        for (CacheOption option : each.options()) {
            String standard = option.defaultValue();
            table.row(List.of(
                    option.name(),
                    standard.startsWith("@") ? "as " + standard.substring(1) : standard.isEmpty() ? "none" : standard,
                    option.allowedText(),
                    option.meaning()));
        }
        table.print(terminal);
    }

    private void figures(String heading, List<String> figures) {
        if (figures.isEmpty()) {
            return;
        }
        terminal.out().println();
        terminal.out().println(heading);
        figures.forEach(figure -> wrap("  - ", "    ", figure));
    }

    private void paragraph(String indent, String text) {
        if (!text.isEmpty()) {
            terminal.out().println();
            wrap(indent, indent, text);
        }
    }

    /** Prints a text in lines that fit the terminal. */
    private void wrap(String first, String others, String text) {
        int width = Math.min(WIDTH, terminal.columns());
        StringBuilder line = new StringBuilder(first);
        boolean empty = true;
        for (String word : text.split(" ", -1)) {
            if (!empty && line.length() + 1 + word.length() > width) {
                terminal.out().println(line);
                line.setLength(0);
                line.append(others);
                empty = true;
            }
            line.append(empty ? "" : " ").append(word);
            empty = false;
        }
        terminal.out().println(line);
    }

    private static String calibration(CacheMethod method) {
        return method.needsCalibration() ? "yes" : method.canCalibrate() ? "optional" : "no";
    }

    private static String bits(CacheMethod method) {
        try {
            Footprint bytes = Caches.estimate(new CacheSpec(method.name(), Map.of()), SHAPE, TOKENS);
            String all = Cells.bits(bytes.bitsPerElement(SHAPE, TOKENS));
            return bytes.secondTier() == 0
                    ? all
                    : all + ", first tier " + Cells.bits(bytes.firstTierBitsPerElement(SHAPE, TOKENS));
        } catch (InvalidInputException e) {
            // Its defaults do not fit this shape.
            return "-";
        }
    }

    private static String withDefaults(CacheMethod method) {
        return method.options().stream()
                .filter(option -> !option.defaultValue().startsWith("@")
                        && !option.defaultValue().isEmpty())
                .map(option -> option.name() + "=" + option.defaultValue())
                .collect(Collectors.joining(", ", method.name() + "(", ")"));
    }
}
