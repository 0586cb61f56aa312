package dev.kvasir.train;

import dev.kvasir.lab.task.Split;
import dev.kvasir.train.data.TokenizerCorpus;
import dev.kvasir.train.net.NetShape;
import dev.kvasir.train.recipe.Recipe;
import dev.kvasir.train.tokenizer.Progress;
import dev.kvasir.train.tokenizer.TokenizerOptions;
import dev.kvasir.train.tokenizer.TokenizerTraining;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A tokenizer and a recipe small enough for a test. */
public final class TestTexts {
    /** Ids of {@link #tokenizer}. */
    public static final int VOCABULARY = 1024;

    private TestTexts() {}

    /** Trains a byte-pair tokenizer on generated documents and writes it into {@code folder}. */
    public static Path tokenizer(Path folder) {
        TokenizerTraining.train(
                        TokenizerOptions.bpe(VOCABULARY),
                        TokenizerCorpus.texts(Optional.empty(), Split.TRAIN).limit(60),
                        Progress.silent())
                .writeTo(folder);
        return folder;
    }

    /** A run of {@code steps} steps over two sources on a net of two layers. */
    public static Recipe recipe(long steps) {
        return new Recipe(
                "test",
                7,
                VOCABULARY,
                256,
                new NetShape(32, 64, 2, 4, 2, 8, 10000f, 1e-5f),
                new Recipe.Optimizer(5e-3, 0.1, 2, 0.9, 0.95, 1e-8, 0.05, 1.0),
                Map.of(
                        "arithmetic", new Recipe.SourceWeights(1, 1),
                        "copy", new Recipe.SourceWeights(1, 0)),
                List.of(
                        new Recipe.Stage("first", 2, 64, 2, Map.of("copy", 1.0)),
                        new Recipe.Stage("second", steps - 2, 256, 2, Map.of("copy", 0.2, "arithmetic", 0.8))),
                new Recipe.Evaluation(1000, 256, 1));
    }
}
