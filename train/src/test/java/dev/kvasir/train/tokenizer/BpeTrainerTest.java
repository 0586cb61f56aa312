package dev.kvasir.train.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BpeTrainerTest {
    @Test
    void mergesTheMostFrequentPairFirst() {
        // low x5, lower x2, newest x6, widest x3: the example of Sennrich et al., with leading spaces instead of end
        // marks.
        String text = " low".repeat(5) + " lower".repeat(2) + " newest".repeat(6) + " widest".repeat(3);
        BpeModel model = BpeTrainer.train(count(text), 256 + 7, Progress.silent());
        assertThat(model.pieces().subList(256, 263)).startsWith("es", "est", "\u0120l", "ow", "\u0120low");
        assertThat(pieces(model, "\u0120lowest")).containsExactly("\u0120low", "est");
    }

    @Test
    void breaksTiesByTheSmallerIds() {
        BpeModel model = BpeTrainer.train(count("zy zy ab ab\nzy\nab"), 257, Progress.silent());
        assertThat(model.pieces().get(256)).isEqualTo("ab");
    }

    @Test
    void makesExactlyThePiecesAskedForAllDifferent() {
        WordCounts counts =
                WordCounts.of(Texts.prose(new SplittableRandom(10), 300).iterator(), List.of());
        for (int pieces : new int[] {256, 257, 301, 400}) {
            BpeModel model = BpeTrainer.train(counts, pieces, Progress.silent());
            assertThat(model.pieces()).hasSize(pieces).doesNotHaveDuplicates().startsWith(bytes());
        }
    }

    @Test
    void saysHowManyPiecesTheTextGives() {
        assertThatThrownBy(() -> BpeTrainer.train(count("ab ab"), 300, Progress.silent()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("only 257 byte-pair pieces")
                .hasMessageContaining("300");
    }

    @Test
    void doesNotDependOnTheOrderOfTheTexts() {
        List<String> texts = Texts.prose(new SplittableRandom(11), 200);
        BpeModel model = BpeTrainer.train(WordCounts.of(texts.iterator(), List.of()), 350, Progress.silent());
        Collections.reverse(texts);
        BpeModel again = BpeTrainer.train(WordCounts.of(texts.iterator(), List.of()), 350, Progress.silent());
        assertThat(again.pieces()).isEqualTo(model.pieces());
        assertThat(again.merges()).isEqualTo(model.merges());
    }

    @Test
    void encodesAsTheTrainingEnded() {
        SplittableRandom random = new SplittableRandom(12);
        for (int trial = 0; trial < 30; trial++) {
            WordCounts counts = Texts.table(random, 40, 14, 1 + trial % 3);
            MergeTable table = new MergeTable(counts);
            BpeModel model = BpeTrainer.learn(table, ByteAlphabet.SIZE + random.nextInt(80), Progress.silent());
            double[] left = IntStream.range(0, model.pieces().size())
                    .mapToDouble(table::count)
                    .toArray();
            assertThat(PieceCounts.of(model, counts)).containsExactly(left);
            assertThat(model.pieces())
                    .doesNotHaveDuplicates()
                    .hasSize(ByteAlphabet.SIZE + model.merges().size());
        }
    }

    private static String[] bytes() {
        return ByteAlphabet.symbols().toArray(String[]::new);
    }

    private static List<String> pieces(SubwordModel model, String word) {
        return Arrays.stream(model.segment(word)).mapToObj(model.pieces()::get).toList();
    }

    private static WordCounts count(String text) {
        return WordCounts.of(List.of(text).iterator(), List.of());
    }
}
