package dev.kvasir.cli.command;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cli.ProgressDisplay;
import dev.kvasir.cli.Table;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.option.ByteSize;
import dev.kvasir.cli.option.CacheListOption;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.JsonOption;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.Range;
import dev.kvasir.cli.option.WeightsOption;
import dev.kvasir.format.Models;
import dev.kvasir.lab.compare.DefaultCaches;
import dev.kvasir.lab.info.CacheEstimate;
import dev.kvasir.lab.info.ModelInfo;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Workers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code kvasir info}: what a model is, and what its caches would cost. */
@Command(
        name = "info",
        mixinStandardHelpOptions = true,
        header = "Tells what a model is and how many bytes each cache would need.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir info",
            "  kvasir info ~/models/llama --context 32768",
            "  kvasir info ~/models/llama --cache 'kivi(bits=2)' --json",
        })
public final class InfoCommand implements Callable<Integer> {
    private static final int NAME_WIDTH = 13;

    private final Terminal terminal;

    @Parameters(
            arity = "0..1",
            paramLabel = "FILE",
            description = "A model: its folder, its safetensors file or a GGUF file. Default: the shipped kvasir-tiny.")
    private Optional<Path> file = Optional.empty();

    @Mixin
    private final WeightsOption weights = new WeightsOption();

    @Mixin
    private final CacheListOption caches = new CacheListOption();

    @Option(names = "--context", paramLabel = "N", description = "Tokens in the cache. Default: the model's context.")
    private Optional<Integer> context = Optional.empty();

    @Mixin
    private final JsonOption json = new JsonOption();

    /**
     * A model and its caches.
     *
     * @param context tokens in each cache
     */
    record Report(ModelInfo model, int context, List<Need> caches) {}

    /**
     * What one cache would allocate.
     *
     * @param weightBytes made of the model's weights once for all its sequences, not part of the total
     * @param reason why this model cannot use it
     */
    record Need(
            String cache,
            Optional<Footprint> bytes,
            Optional<Long> total,
            Optional<Double> bitsPerElement,
            long weightBytes,
            Optional<String> reason) {}

    /** The command on these streams. */
    public InfoCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        context.ifPresent(value -> Range.check("--context", value, 1, Integer.MAX_VALUE));
        Model model = opened();
        int tokens = context.orElse(model.config().contextLength());
        CacheShape shape = model.config().cacheShape();
        List<CacheSpec> specs = caches.specs().isEmpty() ? DefaultCaches.all() : caches.specs();
        List<Need> needs = CacheEstimate.of(specs, shape, List.of(tokens)).stream()
                .map(InfoCommand::need)
                .toList();
        Report report = new Report(ModelInfo.of(model), tokens, needs);
        json.write(report, terminal);
        if (!json.toOutput()) {
            print(report);
        }
        return 0;
    }

    private Model opened() {
        try (Workers workers = Workers.of(new ComputeOptions().threads());
                ProgressDisplay progress = new ProgressDisplay(terminal)) {
            return weights.apply(Models.open(folder()), workers, Progresses.weights(progress, "weights"));
        }
    }

    private Path folder() {
        Path named = file.orElseGet(() -> new ModelOption().folder());
        Path parent = named.toAbsolutePath().getParent();
        return Files.isRegularFile(named) && !Models.isGguf(named) && parent != null ? parent : named;
    }

    private static Need need(CacheEstimate estimate) {
        Optional<CacheEstimate.AtContext> at = estimate.contexts().stream().findFirst();
        return new Need(
                estimate.cache(),
                at.map(CacheEstimate.AtContext::footprint),
                at.map(CacheEstimate.AtContext::bytes),
                at.map(CacheEstimate.AtContext::bitsPerElement),
                estimate.weightBytes(),
                estimate.unfit());
    }

    private void print(Report report) {
        ModelInfo model = report.model();
        line(
                "model",
                model.name() + ", " + model.architecture() + ", " + Cells.count(model.parameters()) + " parameters");
        line(
                "layers",
                model.layers() + " of width " + model.hiddenSize() + ", MLP " + model.intermediateSize() + "; "
                        + model.heads() + " query heads and " + model.kvHeads() + " KV heads of " + model.headDim());
        line("vocabulary", model.vocabularySize() + (model.tiedEmbeddings() ? ", embeddings tied" : ""));
        line("context", model.contextLength() + " tokens, RoPE theta " + model.ropeTheta());
        if (!model.features().isEmpty()) {
            line("features", String.join("; ", model.features()));
        }
        line("weights", new ByteSize(model.weightBytes()) + ", bytes by type " + model.weightBytesByType());
        line("fingerprint", model.fingerprint());
        terminal.out().println();
        Table table =
                Table.ofFigures(List.of("cache at " + report.context() + " tokens", "bytes", "size", "bits/element"));
        for (Need need : report.caches()) {
            if (need.total().isPresent()) {
                table.row(List.of(
                        need.cache(),
                        Cells.count(need.total().get()),
                        need.bytes().map(InfoCommand::size).orElse("-"),
                        need.bitsPerElement().map(Cells::bits).orElse("-")));
            }
        }
        table.print(terminal);
        for (Need need : report.caches()) {
            if (need.weightBytes() > 0) {
                terminal.out()
                        .println("beside the weights, for all sequences: " + need.cache() + ": "
                                + Cells.count(need.weightBytes()) + " bytes");
            }
        }
        report.caches()
                .forEach(need -> need.reason()
                        .ifPresent(reason ->
                                terminal.out().println("not for this model: " + need.cache() + ": " + reason)));
    }

    private static String size(Footprint bytes) {
        String all = new ByteSize(bytes.total()).toString();
        return bytes.secondTier() == 0 ? all : all + ", first tier " + new ByteSize(bytes.firstTier());
    }

    private void line(String name, String value) {
        terminal.out().println(name + " ".repeat(NAME_WIDTH - name.length()) + value);
    }
}
