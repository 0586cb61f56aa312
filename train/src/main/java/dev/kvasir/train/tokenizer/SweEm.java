package dev.kvasir.train.tokenizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * {@link Search#EM}: starts from frequent substrings and all byte-pair pieces, fits their probabilities by
 * forward-backward, and drops the pieces whose loss costs the least likelihood, round by round.
 *
 * <p>Source: Kudo, "Subword Regularization", ACL 2018, section 3.2; here the loss of a piece is the exact change of
 * likelihood when all its uses become its best cut into other pieces, not its first-order estimate.
 */
final class SweEm {
    private static final int STEPS_PER_ROUND = 2;

    private final Lattice lattice;
    private List<String> pieces;
    private double[] counts;

    private SweEm(WordCounts table, List<String> seed) {
        this.pieces = seed;
        this.lattice = new Lattice(table, seed);
        this.counts = new double[seed.size()];
    }

    /** As many pieces as {@code options} ask for, fewer where the text has no more substrings seen twice. */
    static UnigramFit train(WordCounts table, TokenizerOptions options, Progress progress) {
        Map<String, Long> seed = SweSeed.of(table, options, progress);
        int target = Math.min(options.pieces(), seed.size());
        SweEm em = new SweEm(table, List.copyOf(seed.keySet()));
        em.counts = seed.values().stream().mapToDouble(Long::doubleValue).toArray();
        int total = seed.size() - target;
        while (em.pieces.size() > target) {
            progress.report(total - (em.pieces.size() - target), total, "dropping pieces");
            em.fit(STEPS_PER_ROUND);
            int most = Math.max(1, (int) ((em.pieces.size() - ByteAlphabet.SIZE) * options.dropShare()));
            em.drop(Math.min(most, em.pieces.size() - target));
        }
        em.fit(STEPS_PER_ROUND);
        return UnigramFit.fit(table, em.pieces, UnigramFit.logProbabilities(em.counts));
    }

    private void fit(int steps) {
        for (int step = 0; step < steps; step++) {
            double[] expected = new double[counts.length];
            lattice.expect(UnigramFit.logProbabilities(counts), expected);
            counts = expected;
        }
    }

    private void drop(int number) {
        double[] loss = losses();
        boolean[] dropped = new boolean[counts.length];
        IntStream.range(ByteAlphabet.SIZE, counts.length)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer id) -> loss[id]).thenComparing(id -> id))
                .limit(number)
                .forEach(id -> dropped[id] = true);
        int[] newIds = new int[counts.length];
        List<String> kept = new ArrayList<>();
        double[] keptCounts = new double[counts.length - number];
        for (int id = 0; id < newIds.length; id++) {
            newIds[id] = dropped[id] ? -1 : kept.size();
            if (!dropped[id]) {
                // A byte the fit had no use for may be all that is left of a dropped piece.
                keptCounts[kept.size()] = id < ByteAlphabet.SIZE ? Math.max(counts[id], 0.5) : counts[id];
                kept.add(pieces.get(id));
            }
        }
        lattice.rename(newIds);
        pieces = List.copyOf(kept);
        counts = keptCounts;
    }

    /** What the likelihood would lose, in nats, if all uses of a piece became its best cut into the others. */
    private double[] losses() {
        double[] floored = counts.clone();
        for (int id = 0; id < floored.length; id++) {
            floored[id] = Math.max(floored[id], id < ByteAlphabet.SIZE ? 0.5 : 0);
        }
        UnigramModel model = new UnigramModel(pieces, UnigramFit.logProbabilities(floored));
        double total = Arrays.stream(counts).sum();
        double[] loss = new double[counts.length];
        for (int id = ByteAlphabet.SIZE; id < loss.length; id++) {
            double uses = counts[id];
            Map<Integer, Integer> instead = new HashMap<>();
            int[] cut = model.segment(pieces.get(id), id);
            for (int piece : cut) {
                instead.merge(piece, 1, Integer::sum);
            }
            loss[id] = Likelihood.phi(uses) + Likelihood.phi(total + (cut.length - 1) * uses) - Likelihood.phi(total);
            for (Map.Entry<Integer, Integer> piece : instead.entrySet()) {
                double before = counts[piece.getKey()];
                loss[id] += Likelihood.phi(before) - Likelihood.phi(before + piece.getValue() * uses);
            }
        }
        return loss;
    }
}
