package dev.kvasir.train.tokenizer;

import java.util.Optional;

/**
 * Sub-word encoding by likelihood: looks for the unigram pieces under which the best cuts of the text are most likely.
 *
 * <p>Source: Li, "The Nature of Mathematical Modeling and Probabilistic Optimization Engineering in Generative AI",
 * arXiv 2410.18441, names the method (a start as BPE, WordPiece's goal); the gain, the cuts and the searches are worked
 * out here.
 */
final class SweTrainer {
    /** The vocabulary found and what is known of it. */
    record Result(UnigramFit fit, Optimality optimality) {}

    private SweTrainer() {}

    /** Searches as {@code options} say. */
    static Result train(WordCounts table, TokenizerOptions options, Progress progress) {
        return switch (options.search()) {
            case GREEDY -> new Result(SweGreedy.train(table, options.pieces(), progress), Optimality.HEURISTIC);
            case EM -> new Result(SweEm.train(table, options, progress), Optimality.HEURISTIC);
            case EXACT -> {
                Optional<UnigramFit> fit = SweExact.train(table, options.pieces(), options.maxPieceBytes(), progress);
                yield fit.isPresent()
                        ? new Result(fit.get(), Optimality.OPTIMAL)
                        : new Result(SweGreedy.train(table, options.pieces(), progress), Optimality.HEURISTIC);
            }
        };
    }
}
