package dev.kvasir.cli.command;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cli.ProgressDisplay;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.option.CacheSpecConverter;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.SamplesOption;
import dev.kvasir.engine.CalibrationRun;
import dev.kvasir.engine.SensitivitySource;
import dev.kvasir.engine.TextSamples;
import dev.kvasir.format.CalibrationFile;
import dev.kvasir.model.Model;
import dev.kvasir.train.FisherSensitivities;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code kvasir calibrate}: learns from a model and a text what a cache method needs beforehand. */
@Command(
        name = "calibrate",
        mixinStandardHelpOptions = true,
        header = "Learns from a model and a text what a cache method needs beforehand.",
        description = {
            "",
            "Writes one safetensors file, which serves this model only. A cache takes it as METHOD(file=FILE); `kvasir"
                    + " methods` says which methods need one. Some methods also need the gradients of the model's loss,"
                    + " which takes memory for all weights in f32.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir calibrate METHOD --text book.txt --out METHOD.safetensors",
            "  kvasir calibrate 'METHOD(bits=3)' --model ~/models/llama --text book.txt --out llama.safetensors",
        })
public final class CalibrateCommand implements Callable<Integer> {
    private final Terminal terminal;
    private final Lookup lookup;

    @Parameters(
            arity = "1",
            paramLabel = "METHOD",
            converter = CacheSpecConverter.class,
            description = "The cache method, with options of its own if they matter to what is learnt.")
    private CacheSpec spec = new CacheSpec("", Map.of());

    @Mixin
    private final ModelOption model = new ModelOption();

    @Option(
            names = {"-t", "--text"},
            paramLabel = "FILE",
            required = true,
            description = "The text to learn from, UTF-8; - is standard input.")
    private Optional<Path> text = Optional.empty();

    @Option(
            names = {"-o", "--out"},
            paramLabel = "FILE",
            required = true,
            description = "Where to write what was learnt.")
    private Path out = Path.of("");

    @Option(names = "--force", description = "Write over a file that is there.")
    private boolean force;

    @Mixin
    private final SamplesOption samples = new SamplesOption();

    @Mixin
    private final ComputeOptions compute = new ComputeOptions();

    /** Finds what learns for a cache; fails if nothing does. */
    @FunctionalInterface
    interface Lookup {
        Calibrator calibrator(CacheSpec spec, CacheModel model, String fingerprint);
    }

    /** The command on these streams. */
    public CalibrateCommand(Terminal terminal) {
        this(terminal, Caches::calibrator);
    }

    CalibrateCommand(Terminal terminal, Lookup lookup) {
        this.terminal = terminal;
        this.lookup = lookup;
    }

    @Override
    public Integer call() throws IOException {
        samples.check();
        OutputFiles.requireNew(out, force);
        try (Session session = Session.open(model, compute);
                ProgressDisplay progress = new ProgressDisplay(terminal)) {
            Model opened = session.model();
            Calibrator calibrator = lookup.calibrator(spec, opened.cacheModel(), opened.fingerprint());
            TextSamples drawn = samples.of(opened.config().contextLength());
            List<int[]> sequences =
                    drawn.draw(session.tokenizer().encode(Sources.text(List.of(), text, terminal, "the text")));
            Calibration made = run(session, calibrator, sequences, progress);
            progress.finish();
            CalibrationFile.write(out, made);
            terminal.out()
                    .printf(
                            Locale.ROOT,
                            "%s for %s from %d samples of %,d tokens: %d tensors, %,d bytes in %s%n",
                            spec,
                            opened.name(),
                            drawn.samples(),
                            drawn.length(),
                            made.tensors().size(),
                            Files.size(out),
                            out);
        }
        return 0;
    }

    private Calibration run(Session session, Calibrator calibrator, List<int[]> sequences, ProgressDisplay progress) {
        CalibrationRun run = session.calibrationRun();
        CalibrationRun.Listener listener = Progresses.of(progress);
        boolean gradients = IntStream.range(0, calibrator.passes()).anyMatch(calibrator::wantsSensitivity);
        if (!gradients) {
            return run.run(calibrator, sequences, SensitivitySource.NONE, listener);
        }
        NativeMemory.leaveToLibtorch();
        try (FisherSensitivities source = new FisherSensitivities(session.model(), session.threads())) {
            return run.run(calibrator, sequences, source, listener);
        }
    }
}
