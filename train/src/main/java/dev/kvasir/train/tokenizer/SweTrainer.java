package dev.kvasir.train.tokenizer;

import dev.kvasir.InvalidInputException;
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

    /** Nodes after which the exact search gives up: some seconds. */
    private static final long MAX_NODES = 50_000_000;

    private SweTrainer() {}

    /**
     * Searches as {@code options} say.
     *
     * @throws InvalidInputException when the text is too small for EM to fill the vocabulary, or too large for EXACT
     */
    static Result train(WordCounts table, TokenizerOptions options, Progress progress) {
        return switch (options.search()) {
            case GREEDY -> new Result(SweGreedy.train(table, options.pieces(), progress), Optimality.HEURISTIC);
            case EM -> new Result(full(SweEm.train(table, options, progress), options.pieces()), Optimality.HEURISTIC);
            case EXACT -> exact(table, options, MAX_NODES, progress);
        };
    }

    /** The exact search, or where it has not ended after {@code maxNodes} nodes the better of the other two. */
    static Result exact(WordCounts table, TokenizerOptions options, long maxNodes, Progress progress) {
        Optional<UnigramFit> exact =
                SweExact.train(table, options.pieces(), options.maxPieceBytes(), maxNodes, progress);
        if (exact.isPresent()) {
            return new Result(exact.get(), Optimality.OPTIMAL);
        }
        UnigramFit greedy = SweGreedy.train(table, options.pieces(), progress);
        UnigramFit em = SweEm.train(table, options, progress);
        return new Result(greedy.logLikelihood() > em.logLikelihood() ? greedy : em, Optimality.HEURISTIC);
    }

    private static UnigramFit full(UnigramFit fit, int pieces) {
        int made = fit.model().pieces().size();
        if (made < pieces) {
            throw new InvalidInputException("vocabulary size: the text gives only " + made
                    + " pieces that occur twice, " + pieces + " were asked for; give more text or ask for fewer");
        }
        return fit;
    }
}
