package dev.kvasir.cli.command;

import dev.kvasir.cli.ProgressDisplay;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import dev.kvasir.cli.option.Range;
import dev.kvasir.train.EvaluationReport;
import dev.kvasir.train.Precision;
import dev.kvasir.train.TrainListener;
import dev.kvasir.train.TrainingJob;
import dev.kvasir.train.TrainingTokenizer;
import dev.kvasir.train.recipe.Recipe;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code kvasir train}: trains a model from a recipe, the shipped one from scratch by default. */
@Command(
        name = "train",
        mixinStandardHelpOptions = true,
        header = "Trains a small Llama model and writes it as a Hugging Face folder.",
        description = {
            "",
            "Without a recipe it repeats the shipped model: tokenizer, weights and model card. Its texts are generated,"
                    + " but for the books, which are a folder of plain-text novels of yours; the last tenth of each is held"
                    + " out. A checkpoint is kept every 250 steps, and --resume goes on from it exactly.",
            "",
            "On processors without bf16 units the shipped recipe takes many hours. An allocator that keeps its memory"
                    + " (LD_PRELOAD of jemalloc) makes training up to 1.5 times as fast.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir train --books novels --output my-tiny",
            "  kvasir train --books novels --output my-tiny --resume",
            "  kvasir train --recipe mine.json --tokenizer my-tiny --output other --steps 500",
            "  kvasir train heads --output locret.safetensors      what the cache `locret` needs of a model",
        })
public final class TrainCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "DIR",
            description = "Folder for the model; made if missing. Required.")
    private Optional<Path> outputFolder = Optional.empty();

    @Option(
            names = "--recipe",
            paramLabel = "FILE",
            description = "What to train, as JSON. Default: the shipped model.")
    private Optional<Path> recipeFile = Optional.empty();

    @Option(names = "--books", paramLabel = "DIR", description = "Folder of .txt books, for recipes that use them.")
    private Optional<Path> books = Optional.empty();

    @Option(
            names = "--tokenizer",
            paramLabel = "DIR",
            description = "Folder of a tokenizer.json to use. Default: trains two kinds and takes the better.")
    private Optional<Path> tokenizer = Optional.empty();

    @Option(names = "--steps", paramLabel = "N", description = "Stop after step N. Default: the recipe's end.")
    private Optional<Long> steps = Optional.empty();

    @Option(names = "--resume", description = "Go on from the checkpoint in the output folder.")
    private boolean resume;

    @Option(names = "--threads", paramLabel = "N", description = "Threads. Default: the processors of this machine.")
    private Optional<Integer> threads = Optional.empty();

    @Option(
            names = "--precision",
            paramLabel = "TYPE",
            defaultValue = "auto",
            description = "Type of the products: f32, bf16, or auto, which is bf16 where the processor has it."
                    + " Default: ${DEFAULT-VALUE}.")
    private Precision precision = Precision.AUTO;

    /** The command on these streams. */
    public TrainCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws InterruptedException {
        // Not required by picocli, which would want it of the commands below this one too.
        Path output = outputFolder.orElseThrow(() -> new UsageException("missing required option: '--output=DIR'"));
        NativeMemory.leaveToLibtorch();
        int workers = threads.orElse(Runtime.getRuntime().availableProcessors());
        Range.check("--threads", workers, 1, 1024);
        long last = steps.orElse(Long.MAX_VALUE);
        Range.check("--steps", last, 1, Long.MAX_VALUE);
        Recipe recipe = recipeFile.map(Recipe::read).orElseGet(Recipe::shipped);
        if (books.isEmpty() && recipe.uses("books")) {
            throw new UsageException("this recipe trains on books: name a folder of .txt files with --books DIR");
        }
        ProgressLines lines = new ProgressLines(terminal);
        TrainingTokenizer chosen = tokenizer
                .map(TrainingTokenizer::given)
                .orElseGet(() -> TrainingTokenizer.better(
                        output.resolve(TrainingJob.WORK).resolve("tokenizer"),
                        recipe.vocabularySize(),
                        recipe.contextLength(),
                        books,
                        lines::report));
        terminal.err().printf("Tokenizer: %s%n", chosen.remark());
        try (ProgressDisplay display = new ProgressDisplay(terminal)) {
            EvaluationReport report = new TrainingJob(recipe, chosen, books, output, workers, precision)
                    .run(resume, last, new Listener(display));
            display.finish();
            terminal.out().printf("%s%n%s%n", report.line(), output);
        }
        return 0;
    }

    /** Shows loss and speed as the run goes on, and every evaluation on a line of its own. */
    private final class Listener implements TrainListener {
        private final ProgressDisplay display;

        Listener(ProgressDisplay display) {
            this.display = display;
        }

        @Override
        public void onStep(
                long step,
                long all,
                String stage,
                double loss,
                double learningRate,
                double tokensPerSecond,
                double secondsLeft) {
            display.update("train", "steps", step, all, tokensPerSecond);
            if (step % 50 == 0) {
                terminal.err()
                        .printf(
                                Locale.ROOT,
                                "%s: step %,d of %,d, loss %.3f, %,.0f tokens/s, %.0f min left%n",
                                stage,
                                step,
                                all,
                                loss,
                                tokensPerSecond,
                                Math.ceil(secondsLeft / 60));
            }
        }

        @Override
        public void onEvaluation(long step, EvaluationReport report) {
            terminal.err().printf(Locale.ROOT, "step %,d, unseen: %s%n", step, report.line());
        }
    }
}
