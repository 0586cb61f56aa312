package dev.kvasir.train.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class UnigramModelTest {
    @Test
    void cutsWordsAsWellAsTheBestOfAllCuts() {
        SplittableRandom random = new SplittableRandom(3);
        for (int trial = 0; trial < 60; trial++) {
            UnigramModel model = model(random, 3, 25);
            Map<String, Double> scores = scores(model);
            String word = Texts.word(random, 12, 3);
            double best = Texts.cuts(word).stream()
                    .filter(cut -> scores.keySet().containsAll(cut))
                    .mapToDouble(cut -> cut.stream().mapToDouble(scores::get).sum())
                    .max()
                    .orElseThrow();
            int[] segments = model.segment(word);
            assertThat(String.join(
                            "",
                            Arrays.stream(segments)
                                    .mapToObj(model.pieces()::get)
                                    .toList()))
                    .isEqualTo(word);
            assertThat(Arrays.stream(segments).mapToDouble(model::score).sum()).isCloseTo(best, within(1e-9));
        }
    }

    @Test
    void cutsAroundABannedPiece() {
        UnigramModel model = model(new SplittableRandom(4), 2, 20);
        for (int id = ByteAlphabet.SIZE; id < model.pieces().size(); id++) {
            assertThat(model.segment(model.pieces().get(id), id)).doesNotContain(id);
        }
    }

    static UnigramModel model(SplittableRandom random, int letters, int pieces) {
        Set<String> vocabulary = new LinkedHashSet<>(ByteAlphabet.symbols());
        for (int i = 0; i < pieces; i++) {
            vocabulary.add(Texts.word(random, 5, letters));
        }
        List<String> list = new ArrayList<>(vocabulary);
        double[] weights = random.doubles(list.size(), 0.01, 1).toArray();
        return new UnigramModel(list, UnigramFit.logProbabilities(weights));
    }

    static Map<String, Double> scores(UnigramModel model) {
        Map<String, Double> scores = new HashMap<>();
        for (int id = 0; id < model.pieces().size(); id++) {
            scores.put(model.pieces().get(id), model.score(id));
        }
        return scores;
    }
}
