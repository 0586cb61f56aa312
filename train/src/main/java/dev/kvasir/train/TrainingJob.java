package dev.kvasir.train;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.tokenizer.Tokenizer;
import dev.kvasir.train.data.RowSource;
import dev.kvasir.train.data.Sources;
import dev.kvasir.train.net.LlamaNet;
import dev.kvasir.train.recipe.Recipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.global.torch;

/**
 * A whole training run: texts and tokenizer in, Hugging Face folder out.
 *
 * @param recipe what to train
 * @param tokenizer the one to use
 * @param books folder of {@code .txt} books, needed if the recipe uses them
 * @param output folder the model is written to; its sub-folder {@code training} holds the checkpoint
 * @param threads of libtorch
 * @param precision of the products
 */
public record TrainingJob(
        Recipe recipe,
        TrainingTokenizer tokenizer,
        Optional<Path> books,
        Path output,
        int threads,
        Precision precision) {
    /** Sub-folder of the output with what only training needs. */
    public static final String WORK = "training";

    private static final String CHECKPOINT = "checkpoint.pt";
    private static final long STEPS_PER_CHECKPOINT = 250;
    /** Rows of the last evaluation for each of those during training. */
    private static final int FINAL_FACTOR = 8;

    private static final String BEGIN = "<|begin_of_text|>";
    private static final String END = "<|end_of_text|>";

    /** Whether {@code output} holds a run to resume. */
    public static boolean isStarted(Path output) {
        return Files.exists(checkpoint(output));
    }

    private static Path checkpoint(Path output) {
        return output.resolve(WORK).resolve(CHECKPOINT);
    }

    /**
     * Trains and writes the model.
     *
     * @param resume go on from the output folder's checkpoint
     * @param steps steps to stop after, if fewer than the recipe's; the folder then holds the model as it is
     * @return what the finished model scores
     */
    public EvaluationReport run(boolean resume, long steps, TrainListener listener) throws InterruptedException {
        Path checkpoint = checkpoint(output);
        if (resume && !isStarted(output)) {
            throw new InvalidFileException(checkpoint, "there is no checkpoint to resume from");
        }
        if (!resume && isStarted(output)) {
            throw new InvalidInputException(
                    "output: " + checkpoint + " exists; resume it, or remove it to start again");
        }
        torch.set_num_threads(threads);
        try (Tokenizer opened = Tokenizer.open(tokenizer.folder(), recipe.vocabularySize())) {
            int begin = special(opened, BEGIN);
            int end = special(opened, END);
            // Special ids are the last ones: copies are made of the others.
            Map<String, RowSource> sources = Sources.of(recipe, opened, Math.min(begin, end), end, books);
            LlamaNet net = new LlamaNet(recipe.shape(), recipe.vocabularySize(), precision.type(), recipe.seed());
            Recipe.Evaluation evaluation = recipe.evaluation();
            Map<String, RowSource> examined = new LinkedHashMap<>(sources);
            examined.keySet().retainAll(recipe.stages().getLast().mixture().keySet());
            Evaluator quick = new Evaluator(examined, opened, evaluation.length(), evaluation.rows());
            Trainer trainer = new Trainer(recipe, sources, net, quick, listener);
            if (resume) {
                trainer.resume(checkpoint);
            }
            trainer.run(steps, checkpoint, STEPS_PER_CHECKPOINT);
            EvaluationReport report = new Evaluator(
                            examined, opened, evaluation.length(), FINAL_FACTOR * evaluation.rows())
                    .evaluate(net);
            listener.onEvaluation(trainer.step(), report);
            String card = ModelCard.text(recipe, net.parameterCount(), tokenizer.remark(), trainer.step(), report);
            // In training a document follows the end of another: that is what a text begins with.
            ModelExport.write(output, recipe, net, tokenizer.folder(), end, end, card);
            return report;
        }
    }

    private int special(Tokenizer opened, String token) {
        return opened.id(token)
                .orElseThrow(() -> new InvalidFileException(
                        tokenizer.folder().resolve("tokenizer.json"),
                        "has no token " + token + ", which separates documents"));
    }
}
