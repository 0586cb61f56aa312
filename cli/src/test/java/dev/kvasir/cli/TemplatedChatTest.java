package dev.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Turns written as a model's chat template says. */
final class TemplatedChatTest {
    private static final String PLAIN =
            "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}";
    /** Forgets all answers but keeps what was asked. */
    private static final String FORGETFUL =
            "{% for m in messages if m.role != 'assistant' %}[{{ m.role }}] {{ m.content }}\n"
                    + "{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}";

    @TempDir
    private Path folder;

    @BeforeEach
    void write() throws IOException {
        TinyModel.write(folder);
    }

    private Run chat(String template, String input, String... more) throws IOException {
        Files.writeString(folder.resolve("chat_template.jinja"), template);
        String[] first = {"chat", "-m", folder.toString(), "--temperature", "0", "-n", "5"};
        String[] all = java.util.Arrays.copyOf(first, first.length + more.length);
        System.arraycopy(more, 0, all, first.length, more.length);
        return Run.withInput(input, all);
    }

    private static long promptTokens(Run run, int turn) {
        return run.errors().stream()
                .filter(line -> line.contains("prompt "))
                .skip(turn)
                .findFirst()
                .map(line -> Long.parseLong(line.replaceAll(".*prompt (\\d+) token.*", "$1")))
                .orElseThrow();
    }

    @Test
    void aTurnFeedsOnlyWhatIsNew() throws IOException {
        String first = "the wise giant gave the dwarf a golden ring and a cup of mead";
        Run both = chat(PLAIN, first + "\nand\n");

        assertThat(both.exit()).isZero();
        assertThat(both.err()).doesNotContain("past");
        assertThat(promptTokens(both, 1)).isLessThan(promptTokens(both, 0));
    }

    @Test
    void answersAreThoseOfOneGrowingTextWhereTheTemplateWritesIt() throws IOException {
        String growing =
                "{% for m in messages %}{{ '\\n' if m.role == 'user' and not loop.first }}{{ m.content }}{% endfor %}";
        String turns = "the wise\nthe dwarf\ngave\n";

        Run templated = chat(growing, turns);

        assertThat(templated.err()).doesNotContain("past");
        assertThat(templated.out())
                .isEqualTo(chat(growing, turns, "--no-template").out());
    }

    @Test
    void aTemplateThatWritesThePastAnewTakesTokensBack() throws IOException {
        Run run = chat(FORGETFUL, "the wise\nthe dwarf\n");
        String fresh = Run.of(
                        "generate",
                        "-m",
                        folder.toString(),
                        "--temperature",
                        "0",
                        "-n",
                        "5",
                        "-p",
                        "[user] the wise\n[user] the dwarf\n[assistant] ")
                .out();

        assertThat(run.err()).contains("the past reads otherwise now: the last");
        assertThat(run.out()).endsWith(fresh);
    }

    @Test
    void theSystemPromptComesFirst() throws IOException {
        Run run = chat(PLAIN, "the wise\n", "--system", "a golden ring");
        String same = Run.of(
                        "generate",
                        "-m",
                        folder.toString(),
                        "--temperature",
                        "0",
                        "-n",
                        "5",
                        "-p",
                        "[system] a golden ring\n[user] the wise\n[assistant] ")
                .out();

        assertThat(run.out()).isEqualTo(same);
    }

    @Test
    void aRefusedTurnIsOneLineAndTheChatGoesOn() throws IOException {
        Run run = chat(
                "{% if messages[-1].content == 'no' %}\n{{ raise_exception('not that') }}{% endif %}" + PLAIN,
                "no\nthe wise\n");

        assertThat(run.exit()).isZero();
        assertThat(run.errors())
                .anyMatch(line -> line.contains("chat_template.jinja: chat template, line 2: not that"));
        assertThat(run.out()).isEqualTo(chat(PLAIN, "the wise\n").out());
    }

    @Test
    void withoutTemplateTheOptionsThatNeedOneSayso() throws IOException {
        Files.deleteIfExists(folder.resolve("chat_template.jinja"));
        assertThat(Run.of("chat", "-m", folder.toString(), "--system", "x").errors())
                .singleElement()
                .asString()
                .contains("--system needs a chat template");
        assertThat(Run.of("generate", "-m", folder.toString(), "--chat", "-p", "x")
                        .errors())
                .singleElement()
                .asString()
                .contains("--chat needs a chat template");
    }
}
