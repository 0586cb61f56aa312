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
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.global.torch;

/**
 * A whole training run: texts and tokenizer in, Hugging Face folder out.
 *
 * @param recipe what to train
 * @param tokenizer folder of the {@code tokenizer.json} to use
 * @param vocabularySize ids of that tokenizer
 * @param books folder of {@code .txt} books, needed if the recipe uses them
 * @param output folder the model is written to; the checkpoint lies in it as {@code checkpoint.pt} until the end
 * @param threads of libtorch
 * @param precision of the products
 */
public record TrainingJob(
        Recipe recipe,
        Path tokenizer,
        int vocabularySize,
        Optional<Path> books,
        Path output,
        int threads,
        Precision precision) {
    private static final String CHECKPOINT = "checkpoint.pt";
    private static final long STEPS_PER_CHECKPOINT = 250;
    private static final int FINAL_ROWS = 32;
    private static final String BEGIN = "<|begin_of_text|>";
    private static final String END = "<|end_of_text|>";

    /**
     * Trains and writes the model.
     *
     * @param resume go on from the output folder's checkpoint
     * @param steps steps to stop after, if fewer than the recipe's; the folder then holds the model as it is
     * @return what the finished model scores
     */
    public EvaluationReport run(boolean resume, long steps, TrainListener listener) throws InterruptedException {
        Path checkpoint = output.resolve(CHECKPOINT);
        if (resume && !Files.exists(checkpoint)) {
            throw new InvalidFileException(checkpoint, "there is no checkpoint to resume from");
        }
        if (!resume && Files.exists(checkpoint)) {
            throw new InvalidInputException(
                    "output: " + checkpoint + " exists; resume it, or remove it to start again");
        }
        torch.set_num_threads(threads);
        try (Tokenizer opened = Tokenizer.open(tokenizer, vocabularySize)) {
            int begin = special(opened, BEGIN);
            int end = special(opened, END);
            // Special ids are the last ones: copies are made of the others.
            Map<String, RowSource> sources = Sources.of(recipe, opened, Math.min(begin, end), end, books);
            LlamaNet net = new LlamaNet(recipe.shape(), vocabularySize, precision.type(), recipe.seed());
            Recipe.Evaluation evaluation = recipe.evaluation();
            Evaluator quick = new Evaluator(sources, opened, evaluation.length(), evaluation.rows());
            Trainer trainer = new Trainer(recipe, sources, net, quick, listener);
            if (resume) {
                trainer.resume(checkpoint);
            }
            trainer.run(steps, checkpoint, STEPS_PER_CHECKPOINT);
            EvaluationReport report = new Evaluator(sources, opened, evaluation.length(), FINAL_ROWS).evaluate(net);
            listener.onEvaluation(trainer.step(), report);
            String card = ModelCard.text(
                    recipe,
                    net.parameterCount(),
                    describe(),
                    trainer.step(),
                    recipe.tokensUntil(trainer.step()),
                    report);
            ModelExport.write(output, recipe, net, tokenizer, begin, end, card);
            return report;
        }
    }

    private String describe() {
        return vocabularySize + " ids, byte-level, see `tokenizer.json`";
    }

    private int special(Tokenizer opened, String token) {
        return opened.id(token)
                .orElseThrow(() -> new InvalidFileException(
                        tokenizer.resolve("tokenizer.json"), "has no token " + token + ", which separates documents"));
    }
}
