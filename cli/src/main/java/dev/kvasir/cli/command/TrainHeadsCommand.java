package dev.kvasir.cli.command;

import dev.kvasir.cli.ProgressDisplay;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.Range;
import dev.kvasir.lab.task.Task;
import dev.kvasir.lab.task.Tasks;
import dev.kvasir.train.heads.HeadOptions;
import dev.kvasir.train.heads.HeadsJob;
import dev.kvasir.train.heads.HeadsListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir train heads}: trains what the cache {@code locret} needs of a model. */
@Command(
        name = "heads",
        mixinStandardHelpOptions = true,
        header = "Trains the retaining heads of a model, which the cache locret needs.",
        description = {
            "",
            "A head of each layer learns to tell from a token alone how much later answers will look at it (Locret, arXiv"
                    + " 2410.01805). The model itself stays as it is. Prompts and answers are the documents of Kvasir's own"
                    + " tasks; nothing else is needed. Every 200 steps, and at the end, the heads are asked about texts that"
                    + " they do not learn from: overlap is how much of the tenth of tokens that answers want most is in the"
                    + " tenth they would keep, a tenth by chance.",
            "",
            "A checkpoint is kept beside the file every 100 steps, and --resume goes on from it exactly.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir train heads --output locret.safetensors",
            "  kvasir train heads --model ~/models/llama --width 1024 --output llama.safetensors",
            "  kvasir perplexity --text book.txt --cache 'locret(file=locret.safetensors)'",
        })
public final class TrainHeadsCommand implements Callable<Integer> {
    private static final int STEPS_PER_LINE = 50;

    private final Terminal terminal;

    @Mixin
    private final ModelOption model = new ModelOption();

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FILE",
            required = true,
            description = "Where to write the heads.")
    private Path output = Path.of("");

    @Option(names = "--force", description = "Write over a file that is there.")
    private boolean force;

    @Option(names = "--resume", description = "Go on from the checkpoint beside the file.")
    private boolean resume;

    @Option(
            names = "--width",
            paramLabel = "N",
            defaultValue = "64",
            description = "Hidden numbers of a head; the paper's models have 1024. Default: ${DEFAULT-VALUE}.")
    private int width;

    @Option(
            names = "--steps",
            paramLabel = "N",
            defaultValue = "3000",
            description = "Documents to learn from, one a step. Default: ${DEFAULT-VALUE}.")
    private int steps;

    @Option(
            names = "--stop-after",
            paramLabel = "N",
            description = "Stop after step N with a checkpoint only. Default: go on to the end.")
    private Optional<Long> last = Optional.empty();

    @Option(
            names = "--rate",
            paramLabel = "X",
            defaultValue = "0.002",
            description = "Highest learning rate, after a third of the steps. Default: ${DEFAULT-VALUE}.")
    private double rate;

    @Option(
            names = "--length",
            paramLabel = "N",
            description = "Most tokens of a document. Default: the model's context, at most 1024.")
    private Optional<Integer> length = Optional.empty();

    @Option(
            names = "--tasks",
            paramLabel = "NAME",
            split = ",",
            description = "Tasks to learn from. Default: all that ask something.")
    private List<String> tasks = Tasks.all().stream().map(Task::name).toList();

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Chooses documents and first weights. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Mixin
    private final ComputeOptions compute = new ComputeOptions();

    /** The command on these streams. */
    public TrainHeadsCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        Range.check("--width", width, 1, 1 << 14);
        Range.check("--steps", steps, 1, Integer.MAX_VALUE);
        long stop = last.orElse(Long.MAX_VALUE);
        Range.check("--stop-after", stop, 1, Long.MAX_VALUE);
        Range.checkPositive("--rate", rate, 1);
        OutputFiles.requireNew(output, force);
        if (!resume && Files.exists(HeadsJob.checkpoint(output))) {
            throw new UsageException(HeadsJob.checkpoint(output)
                    + " is there: go on from it with --resume, or remove it to start again");
        }
        try (Session session = Session.open(model, compute);
                ProgressDisplay display = new ProgressDisplay(terminal)) {
            int context = session.model().config().contextLength();
            int tokens = length.orElse(Math.min(1024, context));
            Range.check("--length", tokens, HeadOptions.SHORTEST, context);
            HeadOptions options =
                    new HeadOptions(width, steps, steps / 3, rate, HeadOptions.ALPHA, tokens, seed, tasks);
            new HeadsJob(
                            session.model(),
                            session.tokenizer(),
                            session.calibrationRun(),
                            session.workers(),
                            options,
                            new Listener(display))
                    .run(output, resume, stop);
            display.finish();
            if (Files.exists(output)) {
                terminal.out()
                        .printf(
                                Locale.ROOT,
                                "heads of %s: %,d bytes in %s%n",
                                session.model().name(),
                                Files.size(output),
                                output);
            } else {
                terminal.out().printf("%s%n", HeadsJob.checkpoint(output));
            }
        }
        return 0;
    }

    /** Shows loss, speed and the time left as the run goes on, and every evaluation on a line of its own. */
    private final class Listener implements HeadsListener {
        private final ProgressDisplay display;
        private double sum;
        private int count;

        Listener(ProgressDisplay display) {
            this.display = display;
        }

        @Override
        public void onStep(long step, long all, double loss, double perSecond, double secondsLeft) {
            display.update("heads", "steps", step, all, perSecond);
            sum += loss;
            count++;
            if (step % STEPS_PER_LINE == 0) {
                terminal.err()
                        .printf(
                                Locale.ROOT,
                                "step %,d of %,d, loss %.4f, %.1f steps/s, %.0f s left%n",
                                step,
                                all,
                                sum / count,
                                perSecond,
                                secondsLeft);
                sum = 0;
                count = 0;
            }
        }

        @Override
        public void onEvaluation(long step, Map<String, Double> overlap) {
            double mean = overlap.values().stream()
                    .mapToDouble(Double::doubleValue)
                    .average()
                    .orElse(0);
            String each = overlap.entrySet().stream()
                    .map(entry -> String.format(Locale.ROOT, "%s %.2f", entry.getKey(), entry.getValue()))
                    .collect(Collectors.joining(", "));
            terminal.err().printf(Locale.ROOT, "step %,d, unseen: overlap at 10 %% %.3f (%s)%n", step, mean, each);
            terminal.err().flush();
        }
    }
}
