package dev.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code convert gguf} and {@code --weights}, from the command line. */
class ConvertGgufTest {
    @TempDir
    static Path shared;

    private static String model = "";

    @BeforeAll
    static void writeModel() throws IOException {
        model = TinyModel.write(Files.createDirectories(shared.resolve("tiny"))).toString();
    }

    private static Run generate(String path, String... more) {
        String[] fixed = {"generate", "-m", path, "-p", "The wise giant", "--temperature", "0", "-n", "12"};
        String[] all = java.util.Arrays.copyOf(fixed, fixed.length + more.length);
        System.arraycopy(more, 0, all, fixed.length, more.length);
        return Run.of(all);
    }

    @Test
    void aWrittenFileSaysWhatTheFolderSays() {
        String exact = shared.resolve("f32.gguf").toString();
        String rounded = shared.resolve("q8.gguf").toString();

        Run convert = Run.of("convert", "gguf", "-m", model, "--type", "f32", "--out", exact);
        assertThat(convert.exit()).as(convert.err()).isZero();
        assertThat(convert.out()).startsWith(exact).contains(" bytes");
        assertThat(convert.err()).contains("convert: ");
        assertThat(Run.of("convert", "gguf", "-m", model, "--type", "q8_0", "-o", rounded)
                        .exit())
                .isZero();

        assertThat(generate(exact).out()).isNotBlank().isEqualTo(generate(model).out());
        assertThat(generate(rounded).out())
                .isEqualTo(generate(model, "--weights", "q8_0").out());
    }

    @Test
    void anExistingFileIsKeptUnlessForced() throws IOException {
        Path file = Files.writeString(shared.resolve("old.gguf"), "old");
        String[] command = {"convert", "gguf", "-m", model, "--type", "q4_0", "--out", file.toString()};

        Run refused = Run.of(command);
        assertThat(refused.exit()).isNotZero();
        assertThat(refused.errors()).singleElement().asString().contains("already exists", "--force");
        assertThat(file).hasContent("old");

        assertThat(Run.of("convert", "gguf", "-m", model, "--type", "q4_0", "--out", file.toString(), "--force")
                        .exit())
                .isZero();
        assertThat(Run.of("info", file.toString()).out()).contains("q4_0=");
    }

    @Test
    void aFileIsNotWrittenOverItself() {
        String file = shared.resolve("self.gguf").toString();
        assertThat(Run.of("convert", "gguf", "-m", model, "--type", "bf16", "--out", file)
                        .exit())
                .isZero();
        Run run = Run.of("convert", "gguf", "-m", file, "--type", "q8_0", "--out", file, "--force");
        assertThat(run.exit()).isEqualTo(2);
        assertThat(run.err()).contains("is the model itself: name another file");
    }

    @Test
    void infoCountsRoundedWeights() {
        Run stored = Run.of("info", model);
        Run rounded = Run.of("info", model, "--weights", "q8_0");
        assertThat(stored.out()).doesNotContain("q8_0=");
        assertThat(rounded.out()).contains("q8_0=");
    }

    @Test
    void quantizedFilesAreNotRoundedAgainWhenOpened() {
        String file = shared.resolve("packed.gguf").toString();
        Run.of("convert", "gguf", "-m", model, "--type", "q8_0", "--out", file);
        Run run = generate(file, "--weights", "q4_0");
        assertThat(run.exit()).isNotZero();
        assertThat(run.errors()).singleElement().asString().contains("quantised already", "kvasir convert gguf --type");
        assertThat(Run.of("generate", "-m", model, "-p", "a", "--weights", "q6_k")
                        .err())
                .contains("allowed are f32, f16, bf16");
    }
}
