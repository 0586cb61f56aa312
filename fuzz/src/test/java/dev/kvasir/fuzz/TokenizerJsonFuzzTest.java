package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.tokenizer.Tokenizer;
import java.nio.file.Path;

/** {@code tokenizer.json}: what Kvasir reads of it, and the native library behind that. */
class TokenizerJsonFuzzTest {
    private static final Path FOLDER = Hostile.folder();
    private static final int VOCABULARY = 300;

    @DictionaryFile(resourcePath = "tokenizer.dict")
    @FuzzTest
    void opens(byte[] json) {
        Hostile.check(json.length, () -> read(json));
    }

    static void read(byte[] json) {
        Hostile.write(FOLDER.resolve("tokenizer.json"), json);
        try (Tokenizer tokenizer = Tokenizer.open(FOLDER, VOCABULARY)) {
            Talking.some(tokenizer, VOCABULARY);
        }
    }
}
