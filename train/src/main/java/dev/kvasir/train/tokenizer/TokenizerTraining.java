package dev.kvasir.train.tokenizer;

import java.util.Iterator;
import java.util.stream.Stream;

/** Trains a byte-level tokenizer on text; the same text and options always give the same tokenizer. */
public final class TokenizerTraining {
    private TokenizerTraining() {}

    /**
     * Trains on {@code texts}, read once, each on its own.
     *
     * @throws dev.kvasir.InvalidInputException when the text cannot give the vocabulary asked for
     */
    public static TrainedTokenizer train(TokenizerOptions options, Stream<String> texts, Progress progress) {
        return train(options, texts.iterator(), progress);
    }

    /** As {@link #train(TokenizerOptions, Stream, Progress)}. */
    public static TrainedTokenizer train(TokenizerOptions options, Iterable<String> texts, Progress progress) {
        return train(options, texts.iterator(), progress);
    }

    /** As {@link #train(TokenizerOptions, Stream, Progress)}, on words already counted. */
    public static TrainedTokenizer train(TokenizerOptions options, WordCounts counts, Progress progress) {
        return new TrainedTokenizer(options, BpeTrainer.train(counts, options.pieces(), progress));
    }

    private static TrainedTokenizer train(TokenizerOptions options, Iterator<String> texts, Progress progress) {
        progress.report(0, options.pieces(), "counting words");
        return train(options, WordCounts.of(texts, options.specialTokens()), progress);
    }
}
