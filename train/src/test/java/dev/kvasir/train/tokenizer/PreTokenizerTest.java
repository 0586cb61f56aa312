package dev.kvasir.train.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class PreTokenizerTest {
    @Test
    void splitsDigitsOneByOneAndTheFirstTakesTheSpace() {
        assertThat(split("a 17, 2048")).containsExactly("a", " 1", "7", ",", " 2", "0", "4", "8");
    }

    @Test
    void leavesTheLastSpaceToTheWordAndLineBreaksToThemselves() {
        assertThat(split("the   cat \n\n\tsat")).containsExactly("the", "  ", " cat", " ", "\n\n", "\t", "sat");
    }

    @Test
    void keepsContractionsButNotWordsThatBeginLikeOne() {
        assertThat(split("he's don\u2019t 'see'")).containsExactly("he", "'s", " don", "\u2019t", " '", "see", "'");
    }

    @Test
    void keepsRunsOfSymbolsAndMarksOfLetters() {
        assertThat(split("x ->= e\u0301a")).containsExactly("x", " ->=", " e\u0301a");
    }

    @Test
    void coversAnyTextWithoutGap() {
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < 500; i++) {
            String text = Texts.anything(random, random.nextInt(60));
            assertThat(String.join("", split(text))).isEqualTo(text);
        }
    }

    private static List<String> split(String text) {
        List<String> words = new ArrayList<>();
        PreTokenizer.split(text, words::add);
        return words;
    }
}
