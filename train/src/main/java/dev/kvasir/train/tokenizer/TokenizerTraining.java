package dev.kvasir.train.tokenizer;

import dev.kvasir.InvalidInputException;
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
        if (counts.size() == 0) {
            throw new InvalidInputException("text: it is empty, a tokenizer needs some to be trained on");
        }
        return switch (options.algorithm()) {
            case BPE -> {
                BpeModel model = BpeTrainer.train(counts, options.pieces(), progress);
                double likelihood = Likelihood.of(PieceCounts.of(model, counts));
                yield new TrainedTokenizer(options, model, Optimality.HEURISTIC, likelihood);
            }
            case SWE -> {
                SweTrainer.Result result = SweTrainer.train(counts, options, progress);
                UnigramFit fit = result.fit();
                yield new TrainedTokenizer(options, fit.model(), result.optimality(), fit.logLikelihood());
            }
        };
    }

    private static TrainedTokenizer train(TokenizerOptions options, Iterator<String> texts, Progress progress) {
        progress.report(0, options.pieces(), "counting words");
        return train(options, WordCounts.of(texts, options.specialTokens()), progress);
    }
}
