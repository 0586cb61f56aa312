package dev.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kvasir.KvasirException;
import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.Caches;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What every command does alike: help, errors in one line, exit codes. */
final class CommandLineTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "compare",
                "generate",
                "chat",
                "tokenize",
                "perplexity",
                "bench",
                "info",
                "methods",
                "calibrate",
                "convert bfp",
                "train",
                "train heads",
                "tokenizer train",
                "completion"
            })
    void helpShowsUsageAndExamples(String command) {
        Run run = Run.of((command + " --help").split(" "));

        assertThat(run.exit()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).contains("Usage: kvasir " + command, "--verbose", "Examples:\n  kvasir ");
    }

    @Test
    void readmeHasTheTableOfMethodsThatTheCommandPrints() throws IOException {
        Path readme = Path.of("..", "README.md");
        assumeTrue(Files.exists(readme), "README.md is not here");

        assertThat(Files.readString(readme))
                .contains(Run.of("methods", "--markdown").out());
    }

    @Test
    void methodsListsEveryMethodInOneLine() {
        Run run = Run.of("methods");

        assertThat(run.exit()).isZero();
        assertThat(run.out()
                        .lines()
                        .skip(1)
                        .map(line -> line.substring(0, line.indexOf(" ")))
                        .toList())
                .isEqualTo(Caches.methods());
        assertThat(run.out()).startsWith("method").contains("bits/element", "calibration", "what it keeps", "source");
        assertThat(Run.of("caches").out()).isEqualTo(run.out());
    }

    @ParameterizedTest
    @MethodSource("methods")
    void methodIsExplainedFromTheRegistry(String name) {
        CacheMethod method = Caches.method(name);
        Run run = Run.of("methods", name);

        assertThat(run.exit()).isZero();
        assertThat(run.out()).startsWith(name + ": " + method.summary()).contains(method.source(), "Calibration: ");
        String flat = run.out().replaceAll("\\s+", " ");
        assertThat(flat).contains(method.notes().idea(), method.notes().bits());
        for (CacheOption option : method.options()) {
            assertThat(run.out().lines())
                    .anyMatch(line -> line.startsWith(option.name() + " ")
                            && line.contains(option.allowedText())
                            && line.endsWith(option.meaning()));
        }
        assertThat(Stream.concat(method.notes().paperFigures().stream(), method.notes().ourFigures().stream()))
                .allMatch(flat::contains);
    }

    static List<String> methods() {
        return Caches.methods();
    }

    @Test
    void kiviIsExplainedWithItsPapersFigures() {
        Run run = Run.of("methods", "kivi");

        assertThat(run.out())
                .contains(
                        "large magnitude",
                        "38.72 exact, 38.30 with 2 bits",
                        "In the paper:",
                        "Measured here:",
                        "none needed")
                .containsPattern("k_bits +as bits +2, 4, 8 ");
        assertThat(run.out().lines()).allMatch(line -> line.length() <= 140);
    }

    @Test
    void unknownMethodIsNamedWithTheNearest() {
        Run run = Run.of("methods", "kivy");

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.errors()).singleElement().asString().contains("kivy", "did you mean kivi");
    }

    @Test
    void versionNamesTheJava() {
        assertThat(Run.of("--version").out()).startsWith("kvasir ").contains("Java " + Runtime.version());
    }

    @Test
    void noCommandShowsUsageOnStandardError() {
        Run run = Run.of();

        assertThat(run.exit()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains("Usage: kvasir", "compare", "perplexity");
    }

    static Stream<Arguments> wrongCommandLines() {
        return Stream.of(
                Arguments.of("tokenise x", "unknown command or argument tokenise; nearest: tokenize"),
                Arguments.of("generate --promt x", "unknown option --promt; nearest: --prompt"),
                Arguments.of("generate --threads two", "'--threads'|two"),
                Arguments.of("generate -p x --threads 0", "--threads is 0: allowed is from 1 to 1024"),
                Arguments.of("generate -p x --top-p 1.5", "--top-p is 1.5: allowed is above 0 and at most 1.0"),
                Arguments.of("generate -p x --top-p NaN", "--top-p is NaN"),
                Arguments.of("generate -p x --temperature -1", "--temperature is -1.0: allowed is from 0.0"),
                Arguments.of("generate -p x -n 0", "--max-tokens is 0: allowed is at least 1"),
                Arguments.of("generate -p x --cache-budget 3Q", "'3Q' is not a size|512M"),
                Arguments.of("generate -p x --cache-budget 0", "--cache-budget is 0: allowed is at least 1"),
                Arguments.of("generate -p x --cache kivy", "kivy|did you mean kivi"),
                Arguments.of("generate -p x --cache kivi(bits=3)", "bits=3|allowed: 2, 4, 8"),
                Arguments.of("generate -p x --cache kivi(bist=2)", "bist|bits"),
                Arguments.of("generate -p x --cache kivi(", "kivi("),
                Arguments.of("tokenize --ids --decode 1", "mutually exclusive"),
                Arguments.of("perplexity", "--text"),
                Arguments.of("perplexity --text x --context 1", "--context is 1: allowed is at least 2"),
                Arguments.of("perplexity --text x --context 8 --prefill 7", "--prefill is 7: allowed is from 0 to 6"),
                Arguments.of("bench --repetitions 0", "--repetitions is 0: allowed is from 1 to 1000"),
                Arguments.of("bench --depth 0,x", "'--depth'|x"),
                Arguments.of("compare --effort lots", "'--effort'|lots"),
                Arguments.of("compare --turns 9", "--turns is 9|from 1 to 8"),
                Arguments.of("info --context 0", "--context is 0: allowed is at least 1"),
                Arguments.of("calibrate", "METHOD|--text|--out"),
                Arguments.of("calibrate kivy -t x -o y", "kivy|did you mean kivi"),
                Arguments.of("calibrate kivi(bist=2) -t x -o y", "bist|bits"),
                Arguments.of("calibrate kivi -t x -o y --samples 0", "--samples is 0: allowed is from 1"),
                Arguments.of("calibrate kivi -t x -o y --length 1", "--length is 1: allowed is at least 2"),
                Arguments.of("convert bfp", "--out"),
                Arguments.of("convert bfp -o out --block 1", "--block is 1: allowed is at least 2"),
                Arguments.of("convert bpf", "unknown command or argument bpf"),
                Arguments.of("train", "--output"),
                Arguments.of("train -o out", "this recipe trains on books|--books DIR"),
                Arguments.of("train -o out --steps 0", "--steps is 0: allowed is at least 1"),
                Arguments.of("train -o out --precision f64", "'--precision'|f64"),
                Arguments.of("train heads", "--output"),
                Arguments.of("train heads -o out --width 0", "--width is 0: allowed is from 1 to 16384"),
                Arguments.of("train heads -o out --rate 0", "--rate is 0.0: allowed is above 0"),
                Arguments.of("tokenizer train -o out -v 10 x", "--vocabulary-size is 10"),
                Arguments.of("tokenizer train x", "--output"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("wrongCommandLines")
    void wrongCommandLineEndsWithOneLineAndTwo(String commandLine, String said) {
        Run run = Run.of(commandLine.split(" "));

        assertThat(run.exit()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.errors())
                .singleElement()
                .asString()
                .startsWith("kvasir: ")
                .contains(said.split("\\|"));
    }

    @Test
    void failuresNeedNoStackTraceUnlessAsked() {
        Run quiet = Run.of("generate", "-m", "/no/such/model", "-p", "x");
        Run verbose = Run.of("generate", "-m", "/no/such/model", "-p", "x", "--verbose");

        assertThat(quiet.exit()).isEqualTo(1);
        assertThat(quiet.errors()).singleElement().asString().startsWith("kvasir: /no/such/model");
        assertThat(verbose.exit()).isEqualTo(1);
        assertThat(verbose.errors()).anyMatch(line -> line.startsWith("\tat dev.kvasir."));
        assertThat(verbose.errors().getLast()).startsWith("kvasir: /no/such/model");
    }

    @Test
    void missingShippedModelIsNamed() {
        String home = System.getProperty("kvasir.home", "");
        System.setProperty("kvasir.home", "/no/such/home");
        try {
            Run run = Run.of("tokenize", "x");

            assertThat(run.exit()).isEqualTo(1);
            assertThat(run.errors())
                    .singleElement()
                    .asString()
                    .contains("/no/such/home/models/kvasir-tiny", "--model DIR");
        } finally {
            System.setProperty("kvasir.home", home);
        }
    }

    @Test
    void failuresAreOneLineThatCannotSteerTheTerminal() {
        assertThat(Failures.line(new IOException("a\n  b\u001b[31mc"))).isEqualTo("a b?[31mc");
        assertThat(Failures.line(new KvasirException("a\nb\u001b[31mc"))).isEqualTo("a\\u000ab\\u001b[31mc");
        assertThat(Failures.line(new UncheckedIOException(new NoSuchFileException("x.txt"))))
                .isEqualTo("x.txt: no such file or folder");
        assertThat(Failures.line(new OutOfMemoryError("Java heap space")))
                .contains("out of memory", "KVASIR_JAVA_OPTS");
        assertThat(Failures.line(new IllegalStateException("odd"))).isEqualTo("unexpected IllegalStateException: odd");
    }

    @Test
    void unexpectedFailuresSayHowToSeeMore() {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int exit = Failures.report(
                new IllegalStateException("odd"), new PrintStream(err, true, StandardCharsets.UTF_8), false);

        assertThat(exit).isEqualTo(1);
        assertThat(err.toString(StandardCharsets.UTF_8)).contains("--verbose").hasLineCount(1);
    }

    @Test
    void readerWhoLeavesEndsTheCommandQuietly() {
        assertThat(withFailingOutput("Broken pipe", "caches")).isEqualTo(new Run(141, "", ""));
        assertThat(withFailingOutput("Broken pipe", "--help")).isEqualTo(new Run(141, "", ""));
    }

    @Test
    void fullDiskIsAFailure() {
        Run run = withFailingOutput("No space left on device", "caches");

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.errors()).containsExactly("kvasir: standard output cannot be written: No space left on device");
    }

    /** Runs a command whose standard output fails with this message. */
    private static Run withFailingOutput(String message, String... arguments) {
        OutputStream failing = new OutputOrEnd(new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException(message);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                throw new IOException(message);
            }
        });
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Terminal terminal = new Terminal(
                new PrintStream(failing, false, StandardCharsets.UTF_8),
                new PrintStream(err, false, StandardCharsets.UTF_8),
                InputStream.nullInputStream(),
                false,
                false,
                false,
                100);
        int exit = Main.run(terminal, arguments);
        return new Run(exit, "", err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void helpHasNoColoursAwayFromTerminals() {
        assertThat(Run.of("generate", "--help").out()).doesNotContain("\u001b[");
    }

    @Test
    void completionIsValidShell(@TempDir Path folder) throws Exception {
        Path script = folder.resolve("completion");
        Files.writeString(script, Run.of("completion").out());
        Process bash;
        try {
            bash = new ProcessBuilder("bash", "-n", script.toString())
                    .redirectErrorStream(true)
                    .start();
        } catch (IOException e) {
            Assumptions.abort("bash is not installed");
            return;
        }

        String complaints = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(bash.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(complaints).isEmpty();
        assertThat(Files.readString(script)).contains("perplexity", "--cache-budget");
    }
}
