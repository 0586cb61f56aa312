package dev.kvasir.train.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class TokenizerComparisonTest {
    @Test
    void codeLengthIsTheSmoothedCrossEntropyOfTheHeldOutText() {
        BpeModel bytes = new BpeModel(ByteAlphabet.symbols(), List.of());
        WordCounts train = count("aaabaaab");
        BitsPerByte bits = BitsPerByte.measure(bytes, train, count("ab"));
        double a = bits.smoothing();
        double expected =
                -Math.log((6 + a) / (8 + 256 * a)) / Math.log(2) - Math.log((2 + a) / (8 + 256 * a)) / Math.log(2);
        assertThat(bits.bits()).isCloseTo(expected, within(1e-9));
        assertThat(bits.perByte()).isCloseTo(expected / 2, within(1e-9));
        assertThat(bits.bytesPerToken()).isEqualTo(1.0);
    }

    @Test
    void staysFiniteOnBytesNeverSeen() {
        BpeModel bytes = new BpeModel(ByteAlphabet.symbols(), List.of());
        BitsPerByte bits = BitsPerByte.measure(bytes, count("only these"), count("\ud83d\ude00 Z"));
        assertThat(bits.perByte()).isFinite().isGreaterThan(0);
    }

    @Test
    void takesTheTokenizerOfFewerBitsAndSaysWhy() {
        WordCounts train = count(String.join("", Texts.prose(new SplittableRandom(26), 400)));
        WordCounts heldOut = count(String.join("", Texts.prose(new SplittableRandom(27), 50)));
        TokenizerComparison comparison =
                TokenizerComparison.run(TokenizerOptions.swe(Search.EM, 330), train, heldOut, Progress.silent());
        assertThat(comparison.bpe().vocabularySize()).isEqualTo(comparison.swe().vocabularySize());
        assertThat(comparison.sweBits().bytes()).isEqualTo(comparison.bpeBits().bytes());
        assertThat(comparison.sweBits().perByte())
                .isLessThan(0.995 * comparison.bpeBits().perByte());
        assertThat(comparison.better()).isSameAs(comparison.swe());
        assertThat(comparison.reason())
                .startsWith("SWE is better by fewer bits")
                .contains("bytes/token");
    }

    @Test
    void prefersLongerTokensWhereBitsAreEqual() {
        TokenizerComparison measured = TokenizerComparison.run(
                TokenizerOptions.swe(Search.EM, 330),
                count(String.join("", Texts.prose(new SplittableRandom(28), 400))),
                count("walking"),
                Progress.silent());
        TokenizerComparison tie = new TokenizerComparison(
                measured.bpe(),
                measured.swe(),
                new BitsPerByte(1000, 300, 2500, 0.1),
                new BitsPerByte(1000, 310, 2498, 0.1));
        assertThat(tie.better()).isSameAs(tie.bpe());
        assertThat(tie.reason()).startsWith("BPE is better by more bytes per token");
    }

    private static WordCounts count(String text) {
        return WordCounts.of(List.of(text).iterator(), List.of());
    }
}
