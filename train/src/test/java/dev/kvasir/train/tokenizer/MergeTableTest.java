package dev.kvasir.train.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.train.tokenizer.MergeTable.Pair;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class MergeTableTest {
    @Test
    void gainIsTheDifferenceOfLikelihoodsRecomputed() {
        SplittableRandom random = new SplittableRandom(2);
        for (int trial = 0; trial < 40; trial++) {
            // Two letters make long runs of equal pieces and strings reached by several merges.
            WordCounts counts = Texts.table(random, 12, 14, 2 + trial % 3);
            MergeTable table = new MergeTable(counts);
            NaiveTable naive = new NaiveTable(counts);
            for (int merge = 0; merge < 12; merge++) {
                List<Pair> live = new ArrayList<>();
                table.pairs().forEach(pair -> {
                    if (pair.count > 0) {
                        live.add(pair);
                    }
                });
                if (live.isEmpty()) {
                    break;
                }
                for (Pair pair : live) {
                    assertThat((double) pair.count)
                            .isEqualTo(naive.uses(
                                    table.pieces().get(pair.left),
                                    table.pieces().get(pair.right)));
                }
                Pair pair = live.get(random.nextInt(live.size()));
                double gain = SweGreedy.gain(table, pair);
                double before = naive.likelihood();
                naive.merge(table.pieces().get(pair.left), table.pieces().get(pair.right));
                table.merge(pair);
                assertThat(gain).isCloseTo(naive.likelihood() - before, within(1e-6));
            }
        }
    }

    @Test
    void mergesOfAPieceWithItselfDoNotOverlap() {
        WordCounts counts = WordCounts.of(List.of("aaaa", "aaa").iterator(), List.of());
        MergeTable table = new MergeTable(counts);
        int a = ByteAlphabet.value('a');
        Pair pair = table.pairsOf(a).getFirst();
        assertThat(pair.count).isEqualTo(3);
        // Seven a become three aa and one a: 3 ln(3/4) + 1 ln(1/4).
        assertThat(SweGreedy.gain(table, pair)).isCloseTo(3 * Math.log(0.75) + Math.log(0.25), within(1e-9));
        table.merge(pair);
        assertThat(table.count(table.find("aa"))).isEqualTo(3);
        assertThat(table.count(a)).isEqualTo(1);
        assertThat(pair.count).isZero();
    }

    /** The same table without any increment: words as lists, everything counted anew. */
    private static final class NaiveTable {
        private final List<List<String>> words = new ArrayList<>();
        private final List<Long> counts;

        NaiveTable(WordCounts table) {
            counts = table.counts();
            table.words().forEach(word -> words.add(List.of(word.split(""))));
        }

        void merge(String left, String right) {
            words.replaceAll(word -> {
                List<String> merged = new ArrayList<>();
                for (int i = 0; i < word.size(); i++) {
                    boolean here = i + 1 < word.size()
                            && word.get(i).equals(left)
                            && word.get(i + 1).equals(right);
                    merged.add(here ? left + right : word.get(i));
                    i += here ? 1 : 0;
                }
                return merged;
            });
        }

        double uses(String left, String right) {
            double uses = 0;
            for (int w = 0; w < words.size(); w++) {
                List<String> word = words.get(w);
                for (int i = 0; i + 1 < word.size(); i++) {
                    if (word.get(i).equals(left) && word.get(i + 1).equals(right)) {
                        uses += counts.get(w);
                        i++;
                    }
                }
            }
            return uses;
        }

        double likelihood() {
            Map<String, Long> uses = new HashMap<>();
            double total = 0;
            for (int w = 0; w < words.size(); w++) {
                for (String piece : words.get(w)) {
                    uses.merge(piece, counts.get(w), Long::sum);
                    total += counts.get(w);
                }
            }
            double likelihood = 0;
            for (double count :
                    uses.values().stream().mapToDouble(Long::doubleValue).toArray()) {
                likelihood += count * Math.log(count / total);
            }
            return likelihood;
        }
    }
}
