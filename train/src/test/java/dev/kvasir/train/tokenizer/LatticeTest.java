package dev.kvasir.train.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LatticeTest {
    @Test
    void expectedUsesAreThoseOfAllCutsByTheirProbability() {
        SplittableRandom random = new SplittableRandom(5);
        for (int trial = 0; trial < 20; trial++) {
            WordCounts table = Texts.table(random, 6, 9, 3);
            UnigramModel model = UnigramModelTest.model(random, 3, 20);
            Map<String, Double> scores = UnigramModelTest.scores(model);
            double[] uses = new double[model.pieces().size()];
            double likelihood = 0;
            for (int w = 0; w < table.size(); w++) {
                List<List<String>> cuts = Texts.cuts(table.words().get(w)).stream()
                        .filter(cut -> scores.keySet().containsAll(cut))
                        .toList();
                double[] probabilities = cuts.stream()
                        .mapToDouble(cut ->
                                Math.exp(cut.stream().mapToDouble(scores::get).sum()))
                        .toArray();
                double sum = Arrays.stream(probabilities).sum();
                likelihood += table.counts().get(w) * Math.log(sum);
                for (int c = 0; c < cuts.size(); c++) {
                    for (String piece : cuts.get(c)) {
                        uses[model.pieces().indexOf(piece)] += table.counts().get(w) * probabilities[c] / sum;
                    }
                }
            }
            double[] expected = new double[uses.length];
            assertThat(new Lattice(table, model.pieces()).expect(logP(model), expected))
                    .isCloseTo(likelihood, within(1e-8));
            assertThat(expected).containsExactly(uses, within(1e-8));
        }
    }

    @Test
    void bestCutsAreTheModels() {
        SplittableRandom random = new SplittableRandom(6);
        WordCounts table = Texts.table(random, 40, 10, 3);
        UnigramModel model = UnigramModelTest.model(random, 3, 20);
        double[] uses = new double[model.pieces().size()];
        new Lattice(table, model.pieces()).best(logP(model), uses);
        assertThat(uses).containsExactly(PieceCounts.of(model, table));
    }

    @Test
    void softStepsNeverLowerTheMarginalLikelihood() {
        SplittableRandom random = new SplittableRandom(7);
        for (int trial = 0; trial < 20; trial++) {
            WordCounts table = Texts.table(random, 30, 9, 4);
            UnigramModel model = UnigramModelTest.model(random, 4, 60);
            Lattice lattice = new Lattice(table, model.pieces());
            double[] logP = logP(model);
            double before = Double.NEGATIVE_INFINITY;
            for (int step = 0; step < 15; step++) {
                double[] expected = new double[logP.length];
                double likelihood = lattice.expect(logP, expected);
                assertThat(likelihood).isGreaterThanOrEqualTo(before - 1e-9 * Math.abs(likelihood));
                before = likelihood;
                logP = UnigramFit.logProbabilities(expected);
            }
        }
    }

    @Test
    void hardStepsNeverLowerTheLikelihoodOfTheBestCuts() {
        SplittableRandom random = new SplittableRandom(8);
        for (int trial = 0; trial < 20; trial++) {
            WordCounts table = Texts.table(random, 30, 9, 4);
            UnigramModel model = UnigramModelTest.model(random, 4, 60);
            Lattice lattice = new Lattice(table, model.pieces());
            double[] logP = logP(model);
            double before = Double.NEGATIVE_INFINITY;
            for (int step = 0; step < 15; step++) {
                double[] uses = new double[logP.length];
                double likelihood = lattice.best(logP, uses);
                assertThat(likelihood).isGreaterThanOrEqualTo(before - 1e-9 * Math.abs(likelihood));
                before = likelihood;
                logP = UnigramFit.logProbabilities(uses);
            }
        }
    }

    @Test
    void renamedLatticeIsTheLatticeOfTheKeptPieces() {
        SplittableRandom random = new SplittableRandom(9);
        WordCounts table = Texts.table(random, 30, 9, 3);
        List<String> pieces = UnigramModelTest.model(random, 3, 40).pieces();
        int[] newIds = new int[pieces.size()];
        List<String> kept = new ArrayList<>();
        for (int id = 0; id < newIds.length; id++) {
            boolean keep = id < ByteAlphabet.SIZE || random.nextBoolean();
            newIds[id] = keep ? kept.size() : -1;
            if (keep) {
                kept.add(pieces.get(id));
            }
        }
        double[] logP = UnigramFit.logProbabilities(
                IntStream.range(0, kept.size()).mapToDouble(i -> 1 + i % 7).toArray());
        Lattice renamed = new Lattice(table, pieces);
        renamed.rename(newIds);
        double[] uses = new double[kept.size()];
        double[] fresh = new double[kept.size()];
        assertThat(renamed.expect(logP, uses)).isEqualTo(new Lattice(table, kept).expect(logP, fresh));
        assertThat(uses).containsExactly(fresh);
    }

    private static double[] logP(UnigramModel model) {
        return IntStream.range(0, model.pieces().size())
                .mapToDouble(model::score)
                .toArray();
    }
}
