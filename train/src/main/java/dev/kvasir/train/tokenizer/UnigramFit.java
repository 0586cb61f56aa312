package dev.kvasir.train.tokenizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A vocabulary with the probabilities under which the best cuts of a table are most likely, by hard expectation
 * maximisation: cut by Viterbi, count, repeat.
 *
 * @param model the pieces: bytes by value, then the others from the most used to the least
 * @param logLikelihood of the best cuts of the table, in nats
 * @param unusedPieces those beyond the bytes that no best cut of the table uses
 */
record UnigramFit(UnigramModel model, double logLikelihood, List<String> unusedPieces) {
    private static final int MAX_ROUNDS = 50;

    /** Log-probability of a byte the table never needs alone: it must stay possible, and weigh nothing. */
    static final double UNSEEN = Math.log(1e-10);

    /** Fits {@code pieces}, the 256 bytes first, to {@code table}, beginning at {@code logP}. */
    static UnigramFit fit(WordCounts table, List<String> pieces, double[] logP) {
        Lattice lattice = new Lattice(table, pieces);
        double[] counts = new double[pieces.size()];
        double likelihood = lattice.best(logP, counts);
        for (int round = 0; round < MAX_ROUNDS; round++) {
            double[] next = new double[counts.length];
            double better = lattice.best(logProbabilities(counts), next);
            boolean settled = Arrays.equals(counts, next) || better <= likelihood;
            counts = next;
            likelihood = better;
            if (settled) {
                break;
            }
        }
        return of(pieces, counts);
    }

    /** The model of {@code pieces}, the 256 bytes first, used {@code counts} times. */
    static UnigramFit of(List<String> pieces, double[] counts) {
        Comparator<Integer> order = Comparator.comparingDouble((Integer id) -> -counts[id]);
        List<Integer> ids =
                new ArrayList<>(IntStream.range(0, ByteAlphabet.SIZE).boxed().toList());
        IntStream.range(ByteAlphabet.SIZE, pieces.size())
                .boxed()
                .sorted(order.thenComparing(pieces::get))
                .forEach(ids::add);
        double[] logP = logProbabilities(counts);
        double[] scores = new double[logP.length];
        List<String> unused = new ArrayList<>();
        for (int i = 0; i < scores.length; i++) {
            scores[i] = Math.max(logP[ids.get(i)], UNSEEN);
            if (i >= ByteAlphabet.SIZE && counts[ids.get(i)] <= 0) {
                unused.add(pieces.get(ids.get(i)));
            }
        }
        UnigramModel model = new UnigramModel(ids.stream().map(pieces::get).toList(), scores);
        return new UnigramFit(model, Likelihood.of(counts), unused);
    }

    /** ln(c/N) of each count; -infinity for 0. */
    static double[] logProbabilities(double[] counts) {
        double logTotal = Math.log(Arrays.stream(counts).sum());
        return Arrays.stream(counts).map(count -> Math.log(count) - logTotal).toArray();
    }
}
