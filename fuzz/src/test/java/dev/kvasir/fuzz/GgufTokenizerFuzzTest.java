package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.chat.ChatTemplate;
import dev.kvasir.tokenizer.Tokenizer;
import java.nio.file.Path;

/** Tokenizers and chat templates in the metadata of GGUF files. */
class GgufTokenizerFuzzTest {
    private static final Path FILE = Hostile.folder().resolve("model.gguf");
    private static final int VOCABULARY = 300;

    @DictionaryFile(resourcePath = "gguf.dict")
    @FuzzTest
    void opens(byte[] bytes) {
        Hostile.check(bytes.length, () -> read(bytes));
        Hostile.check(Talking.TEMPLATE_BYTES, () -> ChatTemplate.of(FILE).ifPresent(Talking::some));
    }

    static void read(byte[] bytes) {
        try (Tokenizer tokenizer = Tokenizer.open(Hostile.write(FILE, bytes), VOCABULARY)) {
            Talking.some(tokenizer, VOCABULARY);
        }
    }
}
