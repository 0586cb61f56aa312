package dev.kvasir.train.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class TokenizerTrainingTest {
    private static final int VOCABULARY = 420;

    @TempDir
    private Path directory;

    static Stream<TokenizerOptions> kinds() {
        return Stream.of(
                TokenizerOptions.bpe(VOCABULARY),
                TokenizerOptions.swe(Search.EM, VOCABULARY),
                TokenizerOptions.swe(Search.GREEDY, VOCABULARY));
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void decodesWhatItEncodesForAnyText(TokenizerOptions options) throws IOException {
        try (HuggingFaceTokenizer loaded = load(train(options))) {
            SplittableRandom random = new SplittableRandom(21);
            for (int i = 0; i < 300; i++) {
                String text = i % 2 == 0
                        ? Texts.anything(random, random.nextInt(1, 60))
                        : Texts.manyScripts(random, random.nextInt(1, 60));
                assertThat(loaded.decode(loaded.encode(text).getIds(), false)).isEqualTo(text);
            }
            String family = "\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67 na\u00efve \u4f60\u597d\t\r\n  17";
            assertThat(loaded.decode(loaded.encode(family).getIds(), false)).isEqualTo(family);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void theLoadedTokenizerCutsAsTheModelDoes(TokenizerOptions options) throws IOException {
        TrainedTokenizer trained = train(options);
        try (HuggingFaceTokenizer loaded = load(trained)) {
            SplittableRandom random = new SplittableRandom(22);
            List<String> texts = Texts.prose(random, 100);
            for (int i = 0; i < 100; i++) {
                texts.add(Texts.manyScripts(random, 80));
                texts.add(Texts.word(random, 60, 26));
            }
            for (String text : texts) {
                List<Long> ids = new ArrayList<>();
                PreTokenizer.split(text, word -> {
                    for (int id : trained.model().segment(ByteAlphabet.encode(word))) {
                        ids.add((long) id);
                    }
                });
                assertThat(loaded.encode(text).getIds())
                        .as(text)
                        .containsExactly(ids.stream().mapToLong(Long::longValue).toArray());
            }
        }
    }

    @Test
    void theLoadedTokenizerSplitsWordsAsTheTrainingDid() throws IOException {
        // With no piece beyond the bytes every token is a byte, so the word of each token shows the boundaries.
        try (HuggingFaceTokenizer loaded = load(train(TokenizerOptions.bpe(ByteAlphabet.SIZE + 3)))) {
            SplittableRandom random = new SplittableRandom(23);
            for (int i = 0; i < 200; i++) {
                String text = Texts.manyScripts(random, 60);
                List<Long> expected = new ArrayList<>();
                long[] words = {0};
                PreTokenizer.split(text, word -> {
                    for (int b = ByteAlphabet.encode(word).length(); b > 0; b--) {
                        expected.add(words[0]);
                    }
                    words[0]++;
                });
                Encoding encoding = loaded.encode(text);
                assertThat(encoding.getWordIds())
                        .as(text)
                        .containsExactly(
                                expected.stream().mapToLong(Long::longValue).toArray());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void givesEveryIdUpToTheVocabularySizeAndTheLastToSpecialTokens(TokenizerOptions options) throws IOException {
        TrainedTokenizer trained = train(options);
        assertThat(trained.vocabularySize()).isEqualTo(VOCABULARY);
        try (HuggingFaceTokenizer loaded = load(trained)) {
            assertThat(loaded.encode("a<|begin_of_text|>b<|end_of_text|><|pad|>")
                            .getIds())
                    .containsExactly(
                            'a' - '!' + firstVisible(),
                            VOCABULARY - 3,
                            'b' - '!' + firstVisible(),
                            VOCABULARY - 2,
                            VOCABULARY - 1);
            assertThat(loaded.decode(new long[] {VOCABULARY - 1}, false)).isEqualTo("<|pad|>");
        }
    }

    @Test
    void writesTheSpecialTokensAndTheContextToTheConfig() throws IOException {
        train(TokenizerOptions.bpe(300)).writeTo(directory.resolve("made/anew"));
        JsonNode config =
                JsonMapper.shared().readTree(Files.readString(directory.resolve("made/anew/tokenizer_config.json")));
        assertThat(config.get("bos_token").asString()).isEqualTo("<|begin_of_text|>");
        assertThat(config.get("eos_token").asString()).isEqualTo("<|end_of_text|>");
        assertThat(config.get("pad_token").asString()).isEqualTo("<|pad|>");
        assertThat(config.get("model_max_length").asInt()).isEqualTo(2048);
    }

    @Test
    void saysWhereItCannotWrite() throws IOException {
        Path file = Files.writeString(directory.resolve("taken"), "a file");
        TrainedTokenizer trained = train(TokenizerOptions.bpe(300));
        assertThatThrownBy(() -> trained.writeTo(file))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining("taken");
        assertThat(file).hasContent("a file");
    }

    @Test
    void saysThatAnEmptyTextTrainsNothing() {
        assertThatThrownBy(() -> TokenizerTraining.train(TokenizerOptions.bpe(300), List.of(""), Progress.silent()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("empty");
    }

    @Test
    void doesNotLearnFromSpecialTokensInTheText() {
        WordCounts counts = WordCounts.of(List.of("ab<|pad|>ab").iterator(), TokenizerOptions.DEFAULT_SPECIAL_TOKENS);
        assertThat(counts.words()).containsExactly("ab");
        assertThat(counts.counts()).containsExactly(2L);
    }

    @Test
    void countsVeryLongWordsInParts() {
        WordCounts counts = WordCounts.of(List.of("=".repeat(1000)).iterator(), List.of());
        assertThat(counts.words()).containsExactly("=".repeat(1000 - 3 * 256), "=".repeat(256));
        assertThat(counts.counts()).containsExactly(1L, 3L);
        assertThat(counts.bytes()).isEqualTo(1000);
        assertThatThrownBy(() -> new WordCounts(List.of("=".repeat(257)), List.of(1L)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("257 bytes");
    }

    @Test
    void reportsProgress() {
        List<String> heard = new ArrayList<>();
        TokenizerTraining.train(
                TokenizerOptions.swe(Search.EM, 400),
                Texts.prose(new SplittableRandom(24), 300),
                (done, total, message) -> {
                    assertThat(done).isBetween(0L, total);
                    heard.add(message);
                });
        assertThat(heard).contains("counting words", "merging byte pairs", "dropping pieces");
    }

    private static int firstVisible() {
        return ByteAlphabet.value('!');
    }

    private static TrainedTokenizer train(TokenizerOptions options) {
        return TokenizerTraining.train(options, Texts.prose(new SplittableRandom(25), 400), Progress.silent());
    }

    private HuggingFaceTokenizer load(TrainedTokenizer trained) throws IOException {
        trained.writeTo(directory);
        return HuggingFaceTokenizer.builder()
                .optTokenizerPath(directory)
                .optAddSpecialTokens(false)
                .optTruncation(false)
                .build();
    }
}
