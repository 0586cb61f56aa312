package dev.kvasir.train.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.train.tokenizer.MergeTable.Pair;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SweTrainerTest {
    private static final int SPECIALS = TokenizerOptions.DEFAULT_SPECIAL_TOKENS.size();

    @Test
    void exactIsTheBestOfAllCutsOfAllWords() {
        SplittableRandom random = new SplittableRandom(13);
        for (int trial = 0; trial < 40; trial++) {
            WordCounts table = Texts.table(random, 3, 5, 2 + trial % 2);
            int budget = random.nextInt(1, 4);
            SweTrainer.Result result = train(Search.EXACT, table, budget);
            assertThat(result.optimality()).isEqualTo(Optimality.OPTIMAL);
            assertThat(result.fit().logLikelihood()).isCloseTo(bestOfAll(table, budget), within(1e-8));
        }
    }

    @Test
    void exactIsAtLeastAsLikelyAsEmAndGreedy() {
        SplittableRandom random = new SplittableRandom(14);
        int compared = 0;
        boolean beaten = false;
        for (int trial = 0; trial < 40; trial++) {
            WordCounts table = Texts.table(random, 6, 6, 3);
            int budget = random.nextInt(1, 5);
            SweTrainer.Result exact = train(Search.EXACT, table, budget);
            assertThat(exact.optimality()).isEqualTo(Optimality.OPTIMAL);
            for (Search search : List.of(Search.EM, Search.GREEDY)) {
                SweTrainer.Result other = train(search, table, budget);
                assertThat(other.optimality()).isEqualTo(Optimality.HEURISTIC);
                assertThat(other.fit().logLikelihood())
                        .isLessThanOrEqualTo(exact.fit().logLikelihood() + 1e-8);
                beaten |= other.fit().logLikelihood() < exact.fit().logLikelihood() - 1;
                compared++;
            }
        }
        assertThat(compared).isEqualTo(80);
        assertThat(beaten).as("some heuristic is worse than the optimum").isTrue();
    }

    @Test
    void emMakesExactlyThePiecesAskedForAndIsMoreLikelyThanBpe() {
        WordCounts table = prose(15);
        for (int pieces : new int[] {300, 351, 420}) {
            SweTrainer.Result em = train(Search.EM, table, pieces - ByteAlphabet.SIZE);
            assertThat(em.fit().model().pieces()).hasSize(pieces).doesNotHaveDuplicates();
            BpeModel bpe = BpeTrainer.train(table, pieces, Progress.silent());
            assertThat(em.fit().logLikelihood()).isGreaterThan(Likelihood.of(PieceCounts.of(bpe, table)));
        }
    }

    @Test
    void emSaysHowManyPiecesTheTextGives() {
        WordCounts table = WordCounts.of(List.of("ab ab").iterator(), List.of());
        assertThatThrownBy(() -> train(Search.EM, table, 100))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("the text gives only");
    }

    @Test
    void greedyFillsItsVocabularyAndUsesAllOfIt() {
        SweTrainer.Result greedy = train(Search.GREEDY, prose(16), 100);
        assertThat(greedy.fit().model().pieces()).hasSize(356).doesNotHaveDuplicates();
        assertThat(greedy.fit().unusedPieces()).isEmpty();
    }

    @Test
    void greedyMakesTheMergeOfHighestGainEveryTime() {
        SplittableRandom random = new SplittableRandom(29);
        for (int trial = 0; trial < 5; trial++) {
            WordCounts prose = WordCounts.of(Texts.prose(random, 10).iterator(), List.of());
            assertThat(mergesAsTheNaiveSearch(prose, new BpeModel(ByteAlphabet.symbols(), List.of())))
                    .isGreaterThan(20);
        }
        // As in the later rounds, which start from best cuts and not from bytes.
        for (int trial = 0; trial < 100; trial++) {
            WordCounts table = Texts.table(random, 30, 12, 2);
            mergesAsTheNaiveSearch(table, UnigramModelTest.model(random, 2, 30));
        }
    }

    private static int mergesAsTheNaiveSearch(WordCounts counts, SubwordModel start) {
        MergeTable naive = new MergeTable(counts, start);
        int merges = 0;
        for (Pair best = best(naive); best != null; best = best(naive)) {
            naive.merge(best);
            merges++;
        }
        MergeTable table = new MergeTable(counts, start);
        assertThat(new SweGreedy(table, Set.of()).grow(10_000, Progress.silent()))
                .isFalse();
        assertThat(table.pieces()).isEqualTo(naive.pieces());
        for (int id = 0; id < table.pieces().size(); id++) {
            assertThat(table.count(id)).isEqualTo(naive.count(id));
        }
        return merges;
    }

    @Test
    void greedyStopsByItselfWhereNoMergeGains() {
        // Letters drawn independently, each pair about as often as chance: nothing to learn.
        SplittableRandom random = new SplittableRandom(17);
        List<String> texts = new ArrayList<>();
        for (int w = 0; w < 20_000; w++) {
            texts.add("" + (char) ('a' + random.nextInt(10)) + (char) ('a' + random.nextInt(10)));
        }
        WordCounts table = WordCounts.of(texts.iterator(), List.of());
        SweTrainer.Result greedy = train(Search.GREEDY, table, 90);
        assertThat(greedy.fit().model().pieces()).hasSize(ByteAlphabet.SIZE);
    }

    @ParameterizedTest
    @EnumSource(
            value = Search.class,
            names = {"GREEDY", "EM"})
    void givesTheSameTokenizerForTheSameText(Search search) {
        SweTrainer.Result first = train(search, prose(18), 120);
        SweTrainer.Result second = train(search, prose(18), 120);
        assertThat(new TrainedTokenizer(
                                options(search, 120),
                                first.fit().model(),
                                first.optimality(),
                                first.fit().logLikelihood())
                        .json())
                .isEqualTo(new TrainedTokenizer(
                                options(search, 120),
                                second.fit().model(),
                                second.optimality(),
                                second.fit().logLikelihood())
                        .json());
    }

    @ParameterizedTest
    @EnumSource(
            value = Search.class,
            names = {"GREEDY", "EM"})
    void saysTheLikelihoodOfItsOwnCuts(Search search) {
        WordCounts table = prose(19);
        UnigramFit fit = train(search, table, 120).fit();
        double own = Likelihood.of(PieceCounts.of(fit.model(), table));
        assertThat(fit.logLikelihood()).isCloseTo(own, within(1e-6 * Math.abs(own)));
    }

    @Test
    void exactSaysSoWhenItGivesUpAndTakesTheBetterOfTheOthers() {
        SplittableRandom random = new SplittableRandom(30);
        for (int trial = 0; trial < 10; trial++) {
            WordCounts table = Texts.table(random, 12, 6, 4);
            SweTrainer.Result result = SweTrainer.exact(table, options(Search.EXACT, 5), 100, Progress.silent());
            assertThat(result.optimality()).isEqualTo(Optimality.HEURISTIC);
            assertThat(result.fit().logLikelihood())
                    .isEqualTo(Math.max(
                            train(Search.EM, table, 5).fit().logLikelihood(),
                            train(Search.GREEDY, table, 5).fit().logLikelihood()));
        }
    }

    @Test
    void exactRefusesTablesItCannotSearch() {
        assertThatThrownBy(() -> train(Search.EXACT, prose(20), 10))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("search EXACT")
                .hasMessageContaining("EM or GREEDY");
    }

    private static @Nullable Pair best(MergeTable table) {
        Pair best = null;
        double highest = 0;
        for (Pair pair : table.pairs()) {
            double gain = pair.count == 0 ? 0 : SweGreedy.gain(table, pair);
            boolean first =
                    best == null || pair.left < best.left || (pair.left == best.left && pair.right < best.right);
            if (gain > highest || (gain == highest && gain > 0 && first)) {
                best = pair;
                highest = gain;
            }
        }
        return best;
    }

    private static SweTrainer.Result train(Search search, WordCounts table, int budget) {
        return SweTrainer.train(table, options(search, budget), Progress.silent());
    }

    private static TokenizerOptions options(Search search, int budget) {
        return TokenizerOptions.swe(search, ByteAlphabet.SIZE + budget + SPECIALS);
    }

    private static WordCounts prose(int seed) {
        return WordCounts.of(Texts.prose(new SplittableRandom(seed), 300).iterator(), List.of());
    }

    /** The highest likelihood of any choice of one cut per word with at most {@code budget} pieces beyond bytes. */
    private static double bestOfAll(WordCounts table, int budget) {
        return bestOfAll(table, budget, 0, new HashMap<>());
    }

    private static double bestOfAll(WordCounts table, int budget, int word, Map<String, Long> uses) {
        if (word == table.size()) {
            boolean fits = uses.keySet().stream().filter(p -> p.length() > 1).count() <= budget;
            double[] counts =
                    uses.values().stream().mapToDouble(Long::doubleValue).toArray();
            return fits ? Likelihood.of(counts) : Double.NEGATIVE_INFINITY;
        }
        double best = Double.NEGATIVE_INFINITY;
        for (List<String> cut : Texts.cuts(table.words().get(word))) {
            Map<String, Long> more = new HashMap<>(uses);
            cut.forEach(piece -> more.merge(piece, table.counts().get(word), Long::sum));
            best = Math.max(best, bestOfAll(table, budget, word + 1, more));
        }
        return best;
    }
}
