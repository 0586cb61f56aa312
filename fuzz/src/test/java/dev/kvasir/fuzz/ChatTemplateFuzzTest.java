package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.chat.ChatTemplate;
import java.nio.file.Path;

/** {@code chat_template.jinja}, read and rendered. */
class ChatTemplateFuzzTest {
    private static final Path FOLDER = Hostile.folder();

    @DictionaryFile(resourcePath = "jinja.dict")
    @FuzzTest
    void renders(byte[] template) {
        Hostile.check(Talking.TEMPLATE_BYTES, () -> read(template));
    }

    static void read(byte[] template) {
        Hostile.write(FOLDER.resolve("chat_template.jinja"), template);
        ChatTemplate.of(FOLDER).ifPresent(Talking::some);
    }
}
