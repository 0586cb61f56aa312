package dev.kvasir.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.format.TestTokenizers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

class TokenizerTest {
    private static final int VOCABULARY = 300;
    private static final List<String> PARTS = List.of(
            "the ",
            "in",
            " the",
            "x",
            "\ud83d\ude00",
            "\ud83d\udc69\u200d\ud83d\udcbb",
            "\u00e9",
            "\u65e5\u672c",
            "\u0000",
            "  ",
            "\n",
            "<s>",
            "</s>",
            "\ufffd",
            "\ud83c\uddf3\ud83c\uddf4",
            "er");

    @TempDir
    private Path folder;

    private Tokenizer open(ObjectNode tokenizer) throws IOException {
        TestTokenizers.write(folder, tokenizer);
        return Tokenizer.open(folder, VOCABULARY);
    }

    static Stream<ObjectNode> kinds() {
        ObjectNode addedText = TestTokenizers.byteLevel();
        // Characters outside of the byte alphabet, as some added tokens have.
        TestTokenizers.addToken((ArrayNode) addedText.get("added_tokens"), 265, "\u2581\u65e5 x", false);
        ObjectNode wordPiece = TestTokenizers.unigram();
        wordPiece
                .putObject("decoder")
                .put("type", "WordPiece")
                .put("prefix", "##")
                .put("cleanup", true);
        return Stream.of(
                TestTokenizers.byteLevel(),
                addedText,
                TestTokenizers.unigram(),
                TestTokenizers.metaspace(),
                TestTokenizers.withoutDecoder(),
                wordPiece);
    }

    private static String randomText(Random random) {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(12); i >= 0; i--) {
            text.append(PARTS.get(random.nextInt(PARTS.size())));
        }
        return text.toString();
    }

    private static String streamed(Tokenizer tokenizer, int[] ids) {
        Tokenizer.Stream stream = tokenizer.stream();
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            String piece = stream.next(id);
            assertThat(piece.codePoints()).noneMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
            text.append(piece);
        }
        return text.append(stream.finish()).toString();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void streamsExactlyWhatDecodeGivesForRandomIds(ObjectNode kind) throws IOException {
        Random random = new Random(1);
        try (Tokenizer tokenizer = open(kind)) {
            for (int round = 0; round < 500; round++) {
                // Few different ids make runs and repetitions likely; beyond the tokens there are ids without a token.
                int from = random.nextInt(VOCABULARY);
                int range = 1 + random.nextInt(VOCABULARY - from);
                int[] ids = random.ints(random.nextInt(60), from, from + range).toArray();
                assertThat(streamed(tokenizer, ids)).isEqualTo(tokenizer.decode(ids));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void streamsExactlyWhatDecodeGivesForText(ObjectNode kind) throws IOException {
        Random random = new Random(2);
        try (Tokenizer tokenizer = open(kind)) {
            for (int round = 0; round < 500; round++) {
                int[] ids = tokenizer.encode(randomText(random));
                assertThat(streamed(tokenizer, ids)).isEqualTo(tokenizer.decode(ids));
            }
        }
    }

    @Test
    void streamsIllFormedBytesAsTheLibraryDecodesThem() throws IOException {
        // The bytes that begin, continue and cannot be in UTF-8, with the narrow ranges after E0, ED, F0 and F4.
        int[] bytes = {0x41, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xe0, 0xe2, 0xed, 0xf0, 0xf3, 0xf4, 0xf5};
        Random random = new Random(3);
        try (Tokenizer tokenizer = open(TestTokenizers.byteLevel())) {
            for (int round = 0; round < 3000; round++) {
                int[] ids = random.ints(1 + random.nextInt(8), 0, bytes.length)
                        .map(i -> bytes[i] + 3)
                        .toArray();
                assertThat(streamed(tokenizer, ids)).isEqualTo(tokenizer.decode(ids));
            }
        }
    }

    @Test
    void tokensWithoutTextDoNotMakeTheNextOneTheFirst() throws IOException {
        ObjectNode kind = TestTokenizers.unigram();
        ObjectNode erase = ((ArrayNode) kind.get("decoder").get("decoders")).insertObject(0);
        erase.put("type", "Replace").put("content", "").putObject("pattern").put("String", "a");
        try (Tokenizer tokenizer = open(kind)) {
            int the = tokenizer.id("\u2581the").orElseThrow();
            int nothing = tokenizer.id("a").orElseThrow();
            for (int count = 0; count < 40; count++) {
                int[] ids = new int[count + 2];
                Arrays.fill(ids, nothing);
                ids[0] = the;
                ids[count + 1] = the;
                assertThat(streamed(tokenizer, ids)).isEqualTo("the the");
            }
        }
    }

    @Test
    void givesTextBackThroughBytes() throws IOException {
        Random random = new Random(4);
        try (Tokenizer tokenizer = open(TestTokenizers.byteLevel())) {
            for (int round = 0; round < 300; round++) {
                String text = randomText(random);
                assertThat(tokenizer.decode(tokenizer.encode(text)))
                        .isEqualTo(text.replace("<s>", "").replace("</s>", ""));
            }
        }
    }

    @Test
    void addsNoSpecialTokensButRecognisesThem() throws IOException {
        try (Tokenizer tokenizer = open(TestTokenizers.byteLevel())) {
            assertThat(tokenizer.encode("the")).containsExactly(260);
            assertThat(tokenizer.encode("<s>the</s>")).containsExactly(1, 260, 2);
            assertThat(tokenizer.decode(new int[] {1, 260, 2})).isEqualTo("the");
            assertThat(tokenizer.id("</s>")).contains(2);
            assertThat(tokenizer.token(1)).contains("<s>");
            assertThat(tokenizer.token(299)).isEmpty();
            assertThat(tokenizer.isSpecial(1)).isTrue();
            assertThat(tokenizer.isSpecial(260)).isFalse();
        }
    }

    @Test
    void offsetsAreCharsOfTheText() throws IOException {
        String text = "a\ud83d\ude00the\u00e9 the";
        try (Tokenizer tokenizer = open(TestTokenizers.byteLevel())) {
            Tokenizer.Encoding encoding = tokenizer.encodeWithOffsets(text);
            assertThat(encoding.ids()).isEqualTo(tokenizer.encode(text));
            for (int i = 0; i < encoding.ids().length; i++) {
                String part = text.substring(encoding.starts()[i], encoding.ends()[i]);
                String token = tokenizer.decode(new int[] {encoding.ids()[i]});
                // A part of a character decodes to U+FFFD and spans the whole character.
                assertThat(token.contains("\ufffd") ? part : token).isEqualTo(part);
                assertThat(part.codePoints())
                        .allMatch(Character::isValidCodePoint)
                        .isNotEmpty();
            }
            assertThat(encoding.starts()[0]).isZero();
            assertThat(encoding.starts()[1]).isEqualTo(1);
            assertThat(encoding.ends()[1]).isEqualTo(3);
            assertThat(encoding.ends()[encoding.ends().length - 1]).isEqualTo(text.length());
        }
    }

    @Test
    void halfASurrogatePairCountsAsReplacement() throws IOException {
        try (Tokenizer tokenizer = open(TestTokenizers.byteLevel())) {
            assertThat(tokenizer.decode(tokenizer.encode("a\ud83db"))).isEqualTo("a\ufffdb");
            assertThat(tokenizer.encodeWithOffsets("a\ud83db").ends()).endsWith(3);
        }
    }

    @Test
    void neverCutsOrFillsUp() throws IOException {
        ObjectNode tokenizer = TestTokenizers.byteLevel();
        tokenizer
                .putObject("truncation")
                .put("direction", "Right")
                .put("max_length", 4)
                .put("strategy", "LongestFirst")
                .put("stride", 0);
        ObjectNode padding = tokenizer.putObject("padding");
        padding.putObject("strategy").put("Fixed", 4096);
        padding.put("direction", "Right")
                .putNull("pad_to_multiple_of")
                .put("pad_id", 0)
                .put("pad_type_id", 0)
                .put("pad_token", "<unk>");
        try (Tokenizer opened = open(tokenizer)) {
            assertThat(opened.encode("x".repeat(3))).hasSize(3);
            assertThat(opened.encode("x".repeat(3000))).hasSize(3000);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void streamsThroughABoundedWindow(ObjectNode kind) throws IOException {
        TestTokenizers.write(folder, kind);
        TokenizerFile file = TokenizerFile.read(folder, VOCABULARY);
        int[] longest = {0};
        PieceStream stream = new PieceStream(
                file,
                ids -> {
                    longest[0] = Math.max(longest[0], ids.length);
                    return "x".repeat(ids.length);
                },
                false);
        new Random(5).ints(10_000, 0, VOCABULARY).forEach(stream::next);
        assertThat(longest[0]).isBetween(1, 8);
    }

    @Test
    void severalThreadsMayEncodeAtOnce() throws IOException {
        Random random = new Random(6);
        List<String> texts =
                Stream.generate(() -> randomText(random)).limit(2000).toList();
        try (Tokenizer tokenizer = open(TestTokenizers.byteLevel())) {
            List<int[]> expected = texts.stream().map(tokenizer::encode).toList();
            List<int[]> found = texts.parallelStream().map(tokenizer::encode).toList();
            assertThat(found).usingRecursiveComparison().isEqualTo(expected);
        }
    }
}
