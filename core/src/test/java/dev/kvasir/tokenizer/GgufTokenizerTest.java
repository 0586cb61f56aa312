package dev.kvasir.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.format.gguf.TestGguf;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tokenizers made of GGUF metadata, against plain loops over the algorithms' descriptions. */
class GgufTokenizerTest {
    private static final int NORMAL = 1;
    private static final int UNKNOWN = 2;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int BYTE = 6;
    private static final List<String> PIECES = List.of(
            "the",
            " the",
            "in",
            " in",
            "er",
            "x",
            "I'll",
            "don't",
            " 2024",
            "12345",
            "\n",
            "\n\n",
            "  ",
            "\t",
            "!",
            "...",
            "\u00e9",
            "e\u0301",
            "\u65e5\u672c\u8a9e",
            "\ud83d\ude00",
            "\ud83d\udc69\u200d\ud83d\udcbb",
            " ",
            "A",
            "\u00bd",
            "\u0645\u0631",
            ";",
            "<s>");

    @TempDir
    private Path folder;

    private final Random random = new Random(5);

    private String text() {
        return IntStream.range(0, random.nextInt(30))
                .mapToObj(i -> PIECES.get(random.nextInt(PIECES.size())))
                .collect(Collectors.joining());
    }

    private Tokenizer open(TestGguf file, int vocabulary) throws IOException {
        return Tokenizer.open(file.write(folder.resolve("model.gguf")), vocabulary);
    }

    // ---- byte-level BPE ---------------------------------------------------------------------------------------------

    private static String spelled(String text) {
        ByteAlphabet alphabet = new ByteAlphabet();
        StringBuilder spelled = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            spelled.append(alphabet.charOf(b));
        }
        return spelled.toString();
    }

    private static final List<List<String>> MERGES = List.of(
            List.of("t", "h"),
            List.of("th", "e"),
            List.of(" ", "the"),
            List.of("i", "n"),
            List.of(" ", "in"),
            List.of("e", "r"),
            List.of("1", "2"),
            List.of("12", "3"),
            List.of("\n", "\n"),
            List.of(" ", " "),
            List.of(".", "."),
            List.of("'", "l"),
            List.of("'l", "l"),
            List.of("2", "0"),
            List.of(" ", "20"));

    /** 256 bytes, the merges' results, a control token. */
    private static List<String> byteTokens() {
        List<String> tokens = new ArrayList<>();
        ByteAlphabet alphabet = new ByteAlphabet();
        for (int b = 0; b < 256; b++) {
            tokens.add(String.valueOf(alphabet.charOf((byte) b)));
        }
        MERGES.forEach(merge -> tokens.add(spelled(String.join("", merge))));
        tokens.add("<s>");
        return tokens;
    }

    private static TestGguf byteLevel(String pre) {
        List<String> tokens = byteTokens();
        int[] kinds = new int[tokens.size()];
        Arrays.fill(kinds, NORMAL);
        kinds[kinds.length - 1] = CONTROL;
        return new TestGguf()
                .text("tokenizer.ggml.model", "gpt2")
                .text("tokenizer.ggml.pre", pre)
                .texts("tokenizer.ggml.tokens", tokens)
                .ints("tokenizer.ggml.token_type", kinds)
                .texts(
                        "tokenizer.ggml.merges",
                        MERGES.stream()
                                .map(m -> spelled(m.get(0)) + " " + spelled(m.get(1)))
                                .toList());
    }

    /** Of all neighbours the pair that was merged first in training, as long as there is one. */
    private static List<String> mergedByRank(String piece) {
        List<String> parts = new ArrayList<>(
                spelled(piece).chars().mapToObj(Character::toString).toList());
        while (true) {
            int best = -1;
            int rank = MERGES.size();
            for (int i = 0; i + 1 < parts.size(); i++) {
                for (int r = 0; r < rank; r++) {
                    if (parts.get(i).equals(spelled(MERGES.get(r).get(0)))
                            && parts.get(i + 1).equals(spelled(MERGES.get(r).get(1)))) {
                        rank = r;
                        best = i;
                    }
                }
            }
            if (best < 0) {
                return parts;
            }
            parts.set(best, parts.get(best) + parts.remove(best + 1));
        }
    }

    private static List<String> cut(String text, String pattern) {
        List<String> pieces = new ArrayList<>();
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        while (matcher.find()) {
            pieces.add(matcher.group());
        }
        return pieces;
    }

    /** What the published patterns cut, each given here once more. */
    private static final Map<String, String> PATTERNS = Map.of(
            "gpt-2",
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
            "llama-bpe",
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                    + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
            "qwen2",
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                    + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");

    @ParameterizedTest
    @ValueSource(strings = {"gpt-2", "llama-bpe", "qwen2"})
    void bytesAreMergedByRankWithinPieces(String pre) throws IOException {
        List<String> tokens = byteTokens();
        try (Tokenizer tokenizer = open(byteLevel(pre), tokens.size())) {
            for (int i = 0; i < 300; i++) {
                String text = text();
                String composed = pre.equals("qwen2")
                        ? java.text.Normalizer.normalize(text, java.text.Normalizer.Form.NFC)
                        : text;
                List<Integer> expected = new ArrayList<>();
                String[] between = composed.split("<s>", -1);
                for (int part = 0; part < between.length; part++) {
                    if (part > 0) {
                        expected.add(tokens.size() - 1);
                    }
                    for (String piece : cut(between[part], PATTERNS.getOrDefault(pre, ""))) {
                        mergedByRank(piece).forEach(token -> expected.add(tokens.indexOf(token)));
                    }
                }
                int[] found = tokenizer.encode(text);
                assertThat(found)
                        .as(text)
                        .containsExactly(expected.stream().mapToInt(t -> t).toArray());
                assertThat(tokenizer.decode(found)).isEqualTo(composed.replace("<s>", ""));
                assertStreams(tokenizer, found);
            }
        }
    }

    private static void assertStreams(Tokenizer tokenizer, int[] ids) {
        Tokenizer.Stream stream = tokenizer.stream();
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            text.append(stream.next(id));
        }
        assertThat(text.append(stream.finish()).toString()).isEqualTo(tokenizer.decode(ids));
    }

    /** A byte of the second token shows where the text was cut: no two pieces are merged. */
    @ParameterizedTest
    @CsvSource({
        "gpt-2, 12345, 123|4|5",
        "llama-bpe, 12345, 123|4|5",
        "qwen2, 12345, 1|2|3|4|5",
        "smollm, 12345, 1|2|3|4|5",
        "gpt-2, ' 2024', ' 20|2|4'",
        "llama-bpe, ' 2024', ' |20|2|4'",
        "gpt-2, I'll, I|'ll",
        "llama-bpe, I'LL, I|'|L|L",
        "gpt-2, x   in, x|  | in",
        "llama-bpe, x   in, x|  | in",
        "gpt-2, '!the', '!|the'",
        "llama-bpe, '!the', '!|the'"
    })
    void cutsAsTheModelItIsNamedAfter(String pre, String text, String pieces) throws IOException {
        List<String> tokens = byteTokens();
        try (Tokenizer tokenizer = open(byteLevel(pre), tokens.size())) {
            String found = Arrays.stream(tokenizer.encode(text))
                    .mapToObj(id -> tokenizer.decode(new int[] {id}))
                    .collect(Collectors.joining("|"));
            assertThat(found).isEqualTo(pieces);
        }
    }

    // ---- SentencePiece BPE ------------------------------------------------------------------------------------------

    /** Unknown, control, bytes, characters and longer pieces with random scores: longer pieces are no better than short ones. */
    private Map<String, Float> sentencePieces() {
        Map<String, Float> scores = new TreeMap<>();
        for (String character :
                List.of("\u2581", "t", "h", "e", "i", "n", "r", "x", "a", "A", "2", "!", "\u00e9", "\u65e5")) {
            scores.put(character, -1000f - scores.size());
        }
        for (String piece : List.of(
                "th",
                "he",
                "the",
                "in",
                "er",
                "\u2581t",
                "\u2581th",
                "\u2581the",
                "\u2581in",
                "\u2581i",
                "ine",
                "hein",
                "\u2581\u2581",
                "xx",
                "xxx",
                "22")) {
            scores.put(piece, -random.nextInt(500) - random.nextFloat());
        }
        return scores;
    }

    private static TestGguf sentencePiece(List<String> tokens, float[] scores, int[] kinds) {
        return new TestGguf()
                .text("tokenizer.ggml.model", "llama")
                .texts("tokenizer.ggml.tokens", tokens)
                .floats("tokenizer.ggml.scores", scores)
                .ints("tokenizer.ggml.token_type", kinds);
    }

    /** The best-scored neighbours first, the leftmost of equals; what is no token falls into its bytes. */
    private static List<String> mergedByScore(String text, Map<String, Float> scores) {
        List<String> parts = new ArrayList<>(text.replace(' ', '\u2581')
                .codePoints()
                .mapToObj(Character::toString)
                .toList());
        while (true) {
            int best = -1;
            float bestScore = Float.NEGATIVE_INFINITY;
            for (int i = 0; i + 1 < parts.size(); i++) {
                float score = scores.getOrDefault(parts.get(i) + parts.get(i + 1), Float.NEGATIVE_INFINITY);
                if (score > bestScore) {
                    best = i;
                    bestScore = score;
                }
            }
            if (best < 0) {
                break;
            }
            parts.set(best, parts.get(best) + parts.remove(best + 1));
        }
        List<String> tokens = new ArrayList<>();
        for (String part : parts) {
            if (scores.containsKey(part)) {
                tokens.add(part);
            } else {
                for (byte b : part.getBytes(StandardCharsets.UTF_8)) {
                    tokens.add(String.format("<0x%02X>", b));
                }
            }
        }
        return tokens;
    }

    @Test
    void piecesAreMergedByScore() throws IOException {
        for (int trial = 0; trial < 10; trial++) {
            Map<String, Float> pieces = sentencePieces();
            List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
            for (int b = 0; b < 256; b++) {
                tokens.add(String.format("<0x%02X>", b));
            }
            tokens.addAll(pieces.keySet());
            float[] scores = new float[tokens.size()];
            int[] kinds = new int[tokens.size()];
            for (int id = 0; id < scores.length; id++) {
                scores[id] = pieces.getOrDefault(tokens.get(id), 0f);
                kinds[id] = id == 0 ? UNKNOWN : id < 3 ? CONTROL : id < 259 ? BYTE : NORMAL;
            }
            try (Tokenizer tokenizer = open(sentencePiece(tokens, scores, kinds), tokens.size())) {
                for (int i = 0; i < 60; i++) {
                    String text = text().replace("<s>", "a");
                    int[] expected = text.isEmpty()
                            ? new int[0]
                            : mergedByScore(" " + text, pieces).stream()
                                    .mapToInt(tokens::indexOf)
                                    .toArray();
                    int[] found = tokenizer.encode(text);
                    assertThat(found).as(text).containsExactly(expected);
                    assertThat(tokenizer.decode(found)).isEqualTo(text);
                    assertStreams(tokenizer, found);
                }
                assertThat(tokenizer.encode("</s>")).containsExactly(2);
            }
        }
    }

    @Test
    void aUserDefinedTokenIsFoundBeforeAnyMerge() throws IOException {
        List<String> tokens = List.of("<unk>", "\u2581", "a", "b", "ab", "<tool>");
        TestGguf file = sentencePiece(
                        tokens, new float[6], new int[] {UNKNOWN, NORMAL, NORMAL, NORMAL, NORMAL, USER_DEFINED})
                .bool("tokenizer.ggml.add_space_prefix", false);
        try (Tokenizer tokenizer = open(file, 6)) {
            assertThat(tokenizer.encode("ab<tool>b")).containsExactly(4, 5, 3);
            assertThat(tokenizer.decode(new int[] {4, 5, 3})).isEqualTo("ab<tool>b");
        }
    }

    // ---- what is wrong ----------------------------------------------------------------------------------------------

    @Test
    void saysWhatIsWrong() {
        assertRefused(new TestGguf(), "tokenizer.ggml.model");
        assertRefused(
                new TestGguf().text("tokenizer.ggml.model", "bert"),
                "must be gpt2 (byte-level BPE), llama (SentencePiece BPE), or none beside tokenizer.huggingface.json, found \"bert\"");
        assertRefused(byteLevel("nobody-knows"), "tokenizer.ggml.pre", "found \"nobody-knows\"", "llama-bpe");
        assertRefused(
                new TestGguf()
                        .text("tokenizer.ggml.model", "gpt2")
                        .texts("tokenizer.ggml.tokens", List.of("a", "b", "c")),
                "tokenizer.ggml.merges");
        assertRefused(
                sentencePiece(List.of("a", "b"), new float[] {1}, new int[] {NORMAL, NORMAL}),
                "tokenizer.ggml.scores",
                "must have 2 values",
                "found 1");
        assertRefused(
                sentencePiece(List.of("a", "b"), new float[] {1, Float.NaN}, new int[] {NORMAL, NORMAL}),
                "tokenizer.ggml.scores",
                "finite");
        assertRefused(
                sentencePiece(List.of("a", "b"), new float[2], new int[] {NORMAL, 9}),
                "tokenizer.ggml.token_type",
                "9");
        assertRefused(
                new TestGguf()
                        .text("tokenizer.ggml.model", "gpt2")
                        .texts("tokenizer.ggml.tokens", List.of("a", "b"))
                        .texts("tokenizer.ggml.merges", List.of("ab")),
                "tokenizer.ggml.merges",
                "must hold two tokens with a blank between them");
    }

    @Test
    void aVocabularyLargerThanTheModelIsRefused() {
        assertThatThrownBy(() -> open(byteLevel("gpt-2"), 100))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining("must have 1 to 100 tokens");
    }

    private void assertRefused(TestGguf file, String... parts) {
        assertThatThrownBy(() -> open(file, 300))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContainingAll(parts);
    }
}
