package dev.kvasir.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.format.TestTokenizers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

class HostileTokenizerTest {
    @TempDir
    private Path folder;

    private void assertRefused(int vocabularySize, String problem) {
        assertThatThrownBy(() -> Tokenizer.open(folder, vocabularySize))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageStartingWith(folder.resolve("tokenizer.json") + ": ")
                .hasMessageContaining(problem)
                .hasMessageNotContaining("\n");
    }

    private void assertRefused(ObjectNode tokenizer, int vocabularySize, String problem) throws IOException {
        TestTokenizers.write(folder, tokenizer);
        assertRefused(vocabularySize, problem);
    }

    private byte[] valid() throws IOException {
        TestTokenizers.write(folder, TestTokenizers.byteLevel());
        return Files.readAllBytes(folder.resolve("tokenizer.json"));
    }

    @Test
    void refusesEveryTruncation() throws IOException {
        byte[] whole = valid();
        for (int length = 0; length < whole.length; length += length < 200 || length > whole.length - 200 ? 3 : 97) {
            Files.write(folder.resolve("tokenizer.json"), Arrays.copyOf(whole, length));
            assertRefused(300, "");
        }
    }

    @Test
    void survivesChangedBytes() throws IOException {
        byte[] whole = valid();
        Random random = new Random(1);
        int refused = 0;
        for (int round = 0; round < 400; round++) {
            byte[] bytes = whole.clone();
            for (int i = random.nextInt(3); i >= 0; i--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            Files.write(folder.resolve("tokenizer.json"), bytes);
            try (Tokenizer tokenizer = Tokenizer.open(folder, 300)) {
                assertThat(Arrays.stream(tokenizer.encode("in the end"))).allMatch(id -> id >= 0 && id < 300);
            } catch (InvalidFileException e) {
                refused++;
                assertThat(e.getMessage()).doesNotContain("\n");
            }
        }
        assertThat(refused).isBetween(150, 399);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "7",
                "{}",
                "{\"model\":7}",
                "{\"model\":{}}",
                "{\"model\":{\"vocab\":7}}",
                "{\"model\":{\"vocab\":{}}}",
                "{\"model\":{\"vocab\":{\"a\":0}}}",
                "{\"model\":{\"vocab\":[[\"a\"]]}}",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"0\"},\"merges\":[]}}",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0.5},\"merges\":[]}}",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999999999999999999},\"merges\":[]}}",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}",
                "{\"model\":{\"type\":\"Unigram\",\"unk_id\":9,\"vocab\":[[\"a\",0]]}}",
                "{\"model\":{\"type\":\"Unigram\",\"vocab\":[7]}}",
                "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[7,0]]}}",
                "{\"model\":{\"type\":\"Other\",\"vocab\":{\"a\":0}}}",
                "{\"decoder\":7,\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
                "{\"decoder\":{\"type\":\"CTC\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
                "{\"added_tokens\":[7],\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}} {}",
            })
    void refusesGarbage(String json) throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), json);
        assertRefused(300, "");
    }

    @Test
    void refusesBytesThatAreNoText() throws IOException {
        Files.write(
                folder.resolve("tokenizer.json"),
                "{\"model\":{\"vocab\":{\"\u00ff\":0}}}".getBytes(StandardCharsets.ISO_8859_1));
        assertRefused(300, "not valid JSON");
    }

    @Test
    void refusesDeepNesting() throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), "{\"normalizer\":" + "[".repeat(1_000_000));
        assertRefused(300, "nesting depth");
    }

    @Test
    void saysThatTheFileIsMissing() {
        assertRefused(300, "there is no such file");
    }

    @Test
    void refusesATokenizerOfALargerModel() throws IOException {
        assertRefused(TestTokenizers.byteLevel(), 264, "the tokenizer does not match the model");
        assertRefused(TestTokenizers.unigram(), 270, "has id 270, the model has ids 0 to 269");
        ObjectNode added = TestTokenizers.byteLevel();
        TestTokenizers.addToken((ArrayNode) added.get("added_tokens"), 265, "<new>", true);
        assertRefused(added, 265, "token \"<new>\" has id 265");
        TestTokenizers.write(folder, added);
        try (Tokenizer tokenizer = Tokenizer.open(folder, 266)) {
            assertThat(tokenizer.encode("<new>")).containsExactly(265);
        }
    }

    @Test
    void refusesAddedTokensThatTheLibraryWouldNumberOtherwise() throws IOException {
        ObjectNode tokenizer = TestTokenizers.byteLevel();
        TestTokenizers.addToken((ArrayNode) tokenizer.get("added_tokens"), 280, "<new>", true);
        assertRefused(tokenizer, 300, "\"<new>\" has id 280, by its place it must be 265");
    }

    @Test
    void numbersAddedTokensAsTheLibraryDoes() throws IOException {
        ObjectNode tokenizer = TestTokenizers.byteLevel();
        ArrayNode added = (ArrayNode) tokenizer.get("added_tokens");
        for (int i = 0; i < 20; i++) {
            TestTokenizers.addToken(added, 265 + i, "<new" + i + ">", i % 2 == 0);
        }
        TestTokenizers.write(folder, tokenizer);
        try (Tokenizer opened = Tokenizer.open(folder, 300)) {
            for (int i = 0; i < 20; i++) {
                assertThat(opened.encode("<new" + i + ">")).containsExactly(265 + i);
                assertThat(opened.token(265 + i)).contains("<new" + i + ">");
                assertThat(opened.isSpecial(265 + i)).isEqualTo(i % 2 == 0);
            }
        }
    }

    @Test
    void saysWhatATextCannotBeEncodedFor() throws IOException {
        ObjectNode tokenizer = TestTokenizers.unigram();
        ObjectNode model = (ObjectNode) tokenizer.get("model");
        model.put("byte_fallback", false);
        model.putNull("unk_id");
        TestTokenizers.write(folder, tokenizer);
        try (Tokenizer opened = Tokenizer.open(folder, 300)) {
            assertThatThrownBy(() -> opened.encode("Q"))
                    .isInstanceOf(InvalidFileException.class)
                    .hasMessageContaining("cannot encode a text: ");
        }
    }
}
