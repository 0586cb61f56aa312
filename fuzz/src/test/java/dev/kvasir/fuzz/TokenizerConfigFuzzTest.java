package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.chat.ChatTemplate;
import java.nio.file.Path;

/** {@code tokenizer_config.json} and the chat template in it. */
class TokenizerConfigFuzzTest {
    private static final Path FOLDER = Hostile.folder();

    @DictionaryFile(resourcePath = "jinja.dict")
    @FuzzTest
    void renders(byte[] json) {
        Hostile.check(Talking.TEMPLATE_BYTES, () -> read(json));
    }

    static void read(byte[] json) {
        Hostile.write(FOLDER.resolve("tokenizer_config.json"), json);
        ChatTemplate.of(FOLDER).ifPresent(Talking::some);
    }
}
