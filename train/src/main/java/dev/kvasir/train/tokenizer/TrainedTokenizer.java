package dev.kvasir.train.tokenizer;

import dev.kvasir.InvalidFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * A tokenizer ready to be written.
 *
 * @param options what was asked for
 * @param model the learnt pieces
 * @param optimality whether the vocabulary is proven the most likely of its size
 * @param logLikelihood of the training text as the model cuts it, in nats, under the unigram model of those very cuts
 */
public record TrainedTokenizer(
        TokenizerOptions options, SubwordModel model, Optimality optimality, double logLikelihood) {
    /** Ids in all, special tokens included; {@link Search#GREEDY} and {@link Search#EXACT} may need fewer than asked for. */
    public int vocabularySize() {
        return model.pieces().size() + options.specialTokens().size();
    }

    /** The text of {@code tokenizer.json}. */
    public String json() {
        return TokenizerJson.tokenizer(model, options.specialTokens());
    }

    /**
     * Writes {@code tokenizer.json} and {@code tokenizer_config.json} into {@code directory}, made if missing.
     *
     * @throws InvalidFileException when they cannot be written
     */
    public void writeTo(Path directory) {
        try {
            Files.createDirectories(directory);
            write(directory.resolve("tokenizer.json"), json());
            write(directory.resolve("tokenizer_config.json"), TokenizerJson.config(options));
        } catch (IOException e) {
            throw new InvalidFileException(directory, "the tokenizer cannot be written: " + e, e);
        }
    }

    /** Puts the whole file in place at once, so that a failure leaves an older one as it was. */
    private static void write(Path file, String text) throws IOException {
        Path part = file.resolveSibling(file.getFileName() + ".part");
        Files.writeString(part, text);
        Files.move(part, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }
}
