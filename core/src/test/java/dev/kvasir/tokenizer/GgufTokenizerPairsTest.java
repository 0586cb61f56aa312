package dev.kvasir.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.chat.ChatTemplate;
import dev.kvasir.format.TestTokenizers;
import dev.kvasir.format.gguf.GgufLayout;
import dev.kvasir.format.gguf.GgufPairs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

class GgufTokenizerPairsTest {
    private static final int VOCABULARY = 280;
    private static final List<String> TEXTS = List.of(
            "The theory in there",
            "  two  blanks\n\tand lines\r\n",
            "12345 it's 3.14, d\u00eda \ud83c\udf0d \u65e5\u672c",
            "<s>the</s><unk> er",
            "");

    @TempDir
    private Path folder;

    private final List<String> remarks = new ArrayList<>();

    private Path written(Path model, List<Integer> eos) throws IOException {
        GgufPairs pairs = GgufTokenizerPairs.of(model, VOCABULARY, Optional.of(1), eos, remarks::add);
        Path file = folder.resolve("tokenizer.gguf");
        return Files.write(file, GgufLayout.of(pairs, List.of()).header());
    }

    private static void assertSame(Path expected, Path found) {
        try (Tokenizer original = Tokenizer.open(expected, VOCABULARY);
                Tokenizer read = Tokenizer.open(found, VOCABULARY)) {
            for (String text : TEXTS) {
                int[] ids = original.encode(text);
                assertThat(read.encode(text)).as(text).isEqualTo(ids);
                assertThat(read.decode(ids)).isEqualTo(original.decode(ids));
            }
            for (int id = 0; id < 265; id++) {
                assertThat(read.token(id)).isEqualTo(original.token(id));
                assertThat(read.isSpecial(id)).isEqualTo(original.isSpecial(id));
            }
        }
    }

    @Test
    void aFileGivesTheIdsOfTheFolder() throws IOException {
        TestTokenizers.write(folder, TestTokenizers.byteLevel());
        assertSame(folder, written(folder, List.of(2)));
    }

    @Test
    void aFileOfAFileKeepsEveryPair() throws IOException {
        TestTokenizers.write(folder, TestTokenizers.byteLevel());
        byte[] first = Files.readAllBytes(written(folder, List.of(2)));
        assertThat(Files.readAllBytes(written(folder.resolve("tokenizer.gguf"), List.of())))
                .isEqualTo(first);
    }

    @Test
    void carriesTheChatTemplate() throws IOException {
        TestTokenizers.write(folder, TestTokenizers.byteLevel());
        Files.writeString(
                folder.resolve("tokenizer_config.json"), "{\"chat_template\": \"{{ messages[0].content }}\"}");
        assertThat(ChatTemplate.of(written(folder, List.of(2)))).isPresent();
    }

    @Test
    void whatTheKeysCannotSayGoesAlongWhole() throws IOException {
        ObjectNode stripping = TestTokenizers.byteLevel();
        ((ObjectNode) stripping.get("added_tokens").get(1)).put("rstrip", true);
        assertWhole(stripping, "the added token \"<s>\" with rstrip");
        ObjectNode lower = TestTokenizers.byteLevel();
        lower.putObject("normalizer").put("type", "Lowercase");
        assertWhole(lower, "the normalizer \"Lowercase\"");
        ObjectNode digits = TestTokenizers.byteLevel();
        digits.putObject("pre_tokenizer").put("type", "Digits").put("individual_digits", false);
        assertWhole(digits, "a pre-tokenizer that keeps digits together");
        assertWhole(TestTokenizers.unigram(), "a tokenizer that is no byte-level BPE");
    }

    private void assertWhole(ObjectNode tokenizer, String reason) throws IOException {
        remarks.clear();
        TestTokenizers.write(folder, tokenizer);
        assertSame(folder, written(folder, List.of(2)));
        assertThat(remarks).singleElement().asString().contains("GGUF has no key for " + reason, "goes along whole");
    }

    @Test
    void aWholeFileIsCheckedLikeAnyOther() throws IOException {
        GgufPairs pairs = new GgufPairs()
                .text(GgufVocabulary.MODEL, GgufVocabulary.NO_MODEL)
                .text(GgufVocabulary.WHOLE, "{\"model\": {\"vocab\": {\"a\": 999}}}");
        Path file = Files.write(
                folder.resolve("whole.gguf"), GgufLayout.of(pairs, List.of()).header());
        assertThatThrownBy(() -> Tokenizer.open(file, VOCABULARY))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining("999");
    }
}
