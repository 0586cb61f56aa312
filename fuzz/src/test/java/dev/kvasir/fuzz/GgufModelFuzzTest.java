package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.format.Models;
import java.nio.file.Path;

/** GGUF files opened as models, which then compute. */
class GgufModelFuzzTest {
    private static final Path FILE = Hostile.folder().resolve("model.gguf");

    @DictionaryFile(resourcePath = "gguf.dict")
    @FuzzTest
    void opens(byte[] bytes) {
        Hostile.check(bytes.length, () -> read(bytes));
    }

    static void read(byte[] bytes) {
        Running.some(Models.open(Hostile.write(FILE, bytes)));
    }
}
