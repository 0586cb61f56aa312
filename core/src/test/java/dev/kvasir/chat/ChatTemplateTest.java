package dev.kvasir.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.format.gguf.TestGguf;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplateTest {
    private static final List<Message> TURNS =
            List.of(Message.system("Be brief."), Message.user("Hi"), Message.assistant("Ho"), Message.user("?"));

    private static final String TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m.role[0] }}:{{ m.content }}"
            + "{{ eos_token }}{% endfor %}{{ 'a:' if add_generation_prompt }}";

    private static final String RENDERED = "<s>s:Be brief.</s>u:Hi</s>a:Ho</s>u:?</s>a:";

    @TempDir
    private Path folder;

    private ChatTemplate withConfig(String json) throws IOException {
        Files.writeString(folder.resolve("tokenizer_config.json"), json);
        return ChatTemplate.of(folder).orElseThrow();
    }

    @Test
    void isTheTextInTheConfiguration() throws IOException {
        ChatTemplate template = withConfig(
                "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"</s>\",\"chat_template\":\"" + TEMPLATE + "\"}");

        assertThat(template.render(TURNS, true)).isEqualTo(RENDERED);
        assertThat(template.endToken()).isEqualTo("</s>");
        assertThat(template.afterAnswer()).isEqualTo("</s>");
    }

    @Test
    void isTheDefaultOfSeveral() throws IOException {
        ChatTemplate template = withConfig("{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"chat_template\":["
                + "{\"name\":\"rag\",\"template\":\"no\"},{\"name\":\"default\",\"template\":\"" + TEMPLATE + "\"}]}");

        assertThat(template.render(TURNS, true)).isEqualTo(RENDERED);
    }

    @Test
    void isTheFileOfItsOwnBeforeTheConfiguration() throws IOException {
        Files.writeString(folder.resolve("chat_template.jinja"), TEMPLATE);

        assertThat(withConfig("{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"chat_template\":\"no\"}")
                        .render(TURNS, true))
                .isEqualTo(RENDERED);
    }

    @Test
    void isTheTextInAGgufFile() throws IOException {
        Path file = folder.resolve("model.gguf");
        Files.write(
                file,
                new TestGguf()
                        .texts("tokenizer.ggml.tokens", List.of("x", "<s>", "</s>"))
                        .u32("tokenizer.ggml.bos_token_id", 1)
                        .u32("tokenizer.ggml.eos_token_id", 2)
                        .text("tokenizer.chat_template", TEMPLATE)
                        .toBytes());

        assertThat(ChatTemplate.of(file).orElseThrow().render(TURNS, true)).isEqualTo(RENDERED);
    }

    @Test
    void aModelMayHaveNone() throws IOException {
        assertThat(ChatTemplate.of(folder)).isEmpty();
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"chat_template\": null}");
        assertThat(ChatTemplate.of(folder)).isEmpty();
    }

    @Test
    void whatIsWrongIsNamedWithFileAndLine() throws IOException {
        assertThatThrownBy(() -> withConfig("{\"chat_template\": \"a\\n{% if x\"}"))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining("tokenizer_config.json: chat template, line 2: ");
        assertThatThrownBy(() -> withConfig("{\"chat_template\": 7}"))
                .hasMessageContaining("chat_template must be a text");
        ChatTemplate raising = withConfig("{\"chat_template\": \"\\n{{ raise_exception('roles must alternate') }}\"}");
        assertThatThrownBy(() -> raising.render(TURNS, true))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining("line 2: roles must alternate");
        assertThat(raising.afterAnswer()).isEmpty();
    }
}
