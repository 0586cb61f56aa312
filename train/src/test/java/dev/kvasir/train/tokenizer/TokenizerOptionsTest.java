package dev.kvasir.train.tokenizer;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import java.util.List;
import org.junit.jupiter.api.Test;

class TokenizerOptionsTest {
    @Test
    void refusesWhatIsOutOfRangeAndSaysWhatIsAllowed() {
        refused(() -> TokenizerOptions.bpe(258), "vocabulary size: 258", "259");
        refused(() -> TokenizerOptions.bpe(-1), "vocabulary size: -1", "259");
        refused(() -> options(2, 0.1, 16, 2048), "seed factor: 2", "3 to 10");
        refused(() -> options(5, 0.5, 16, 2048), "drop share: 0.5", "0.1 to 0.2");
        refused(() -> options(5, Double.NaN, 16, 2048), "drop share: NaN", "0.1 to 0.2");
        refused(() -> options(5, 0.1, 1, 2048), "longest piece: 1", "2 to 256");
        refused(() -> options(5, 0.1, 16, 0), "model max length: 0", "1 to");
    }

    @Test
    void refusesSpecialTokensThatAreMissingEmptyOrRepeated() {
        refused(() -> special(List.of("<s>", "</s>")), "special tokens", "padding");
        refused(() -> special(List.of("<s>", "</s>", "")), "special tokens", "empty");
        refused(() -> special(List.of("<s>", "</s>", "<s>")), "special tokens", "different");
    }

    private static TokenizerOptions options(int seedFactor, double dropShare, int maxPieceBytes, int modelMaxLength) {
        return new TokenizerOptions(
                Algorithm.SWE,
                Search.EM,
                512,
                seedFactor,
                dropShare,
                maxPieceBytes,
                TokenizerOptions.DEFAULT_SPECIAL_TOKENS,
                modelMaxLength);
    }

    private static TokenizerOptions special(List<String> tokens) {
        return new TokenizerOptions(Algorithm.BPE, Search.EM, 512, 5, 0.1, 16, tokens, 2048);
    }

    private static void refused(Runnable making, String... parts) {
        assertThatThrownBy(making::run)
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll(parts);
    }
}
