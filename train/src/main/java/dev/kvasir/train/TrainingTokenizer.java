package dev.kvasir.train;

import dev.kvasir.InvalidFileException;
import dev.kvasir.lab.task.Split;
import dev.kvasir.train.data.TokenizerCorpus;
import dev.kvasir.train.tokenizer.Progress;
import dev.kvasir.train.tokenizer.Search;
import dev.kvasir.train.tokenizer.TokenizerComparison;
import dev.kvasir.train.tokenizer.TokenizerOptions;
import dev.kvasir.train.tokenizer.WordCounts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The tokenizer of a run: a given one, or the better of byte-pair encoding and sub-word encoding by likelihood, both
 * trained on the run's own texts and compared in bits per byte on its test split.
 *
 * @param folder holds {@code tokenizer.json} and {@code tokenizer_config.json}
 * @param remark where it comes from, one sentence for the model card
 */
public record TrainingTokenizer(Path folder, String remark) {
    private static final String REMARK = "tokenizer.txt";

    /** A tokenizer that exists. */
    public static TrainingTokenizer given(Path folder) {
        return new TrainingTokenizer(folder, "given, not trained with the model.");
    }

    /** Trains both kinds and keeps the better one in {@code folder}; what lies there from an earlier run is used again. */
    public static TrainingTokenizer better(
            Path folder, int vocabularySize, int contextLength, Optional<Path> books, Progress progress) {
        Path remark = folder.resolve(REMARK);
        try {
            if (Files.exists(remark)) {
                return new TrainingTokenizer(folder, Files.readString(remark));
            }
            TokenizerOptions options =
                    TokenizerOptions.swe(Search.EM, vocabularySize).withModelMaxLength(contextLength);
            TokenizerComparison comparison = TokenizerComparison.run(
                    options,
                    WordCounts.of(TokenizerCorpus.texts(books, Split.TRAIN).iterator(), options.specialTokens()),
                    WordCounts.of(TokenizerCorpus.texts(books, Split.TEST).iterator(), options.specialTokens()),
                    progress);
            comparison.better().writeTo(folder);
            Files.writeString(remark, comparison.reason());
            return new TrainingTokenizer(folder, comparison.reason());
        } catch (IOException e) {
            throw new InvalidFileException(folder, "the tokenizer cannot be kept here: " + e, e);
        }
    }
}
