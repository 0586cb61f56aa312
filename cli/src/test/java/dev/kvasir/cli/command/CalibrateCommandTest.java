package dev.kvasir.cli.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cli.Failures;
import dev.kvasir.cli.Main;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.TinyModel;
import dev.kvasir.format.CalibrationFile;
import dev.kvasir.format.ModelFolder;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The command with a calibrator made for the test, and with every registered method that needs one. */
final class CalibrateCommandTest {
    @TempDir
    static Path shared;

    @TempDir
    Path folder;

    private static String model = "";
    private static String text = "";

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @BeforeAll
    static void writeModel() throws IOException {
        model = TinyModel.write(Files.createDirectories(shared.resolve("tiny"))).toString();
        text = Files.writeString(shared.resolve("text.txt"), TinyModel.TEXT).toString();
    }

    private Terminal terminal() {
        return new Terminal(
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                new ByteArrayInputStream(new byte[0]),
                false,
                false,
                false,
                100);
    }

    private String errors() {
        return err.toString(StandardCharsets.UTF_8);
    }

    /** Sums squares of the keys, weighted by their sensitivity in the second pass. */
    private static final class KeyPower implements Calibrator {
        private final String fingerprint;
        private final boolean sensitive;
        private final List<Integer> lengths = new ArrayList<>();
        private double plain;
        private double weighted;

        KeyPower(String fingerprint, boolean sensitive) {
            this.fingerprint = fingerprint;
            this.sensitive = sensitive;
        }

        @Override
        public int passes() {
            return 2;
        }

        @Override
        public boolean wantsSensitivity(int pass) {
            return sensitive && pass == 1;
        }

        @Override
        public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
            lengths.add(states.count());
            float[] keys = states.keysBeforeRope();
            int elements = states.count() * 32;
            boolean given = !sensitivity.equals(Sensitivity.NONE);
            for (int i = 0; i < elements; i++) {
                plain += (double) keys[i] * keys[i];
                weighted += given ? (double) keys[i] * keys[i] * sensitivity.keys()[i] : 0;
            }
        }

        @Override
        public Calibration finish() {
            float[] sums = {(float) plain, (float) weighted};
            return new Calibration(
                    "exact", Map.of("dtype", "f32"), fingerprint, Map.of("power", Calibration.Tensor.of(sums, 2)));
        }
    }

    private int run(List<KeyPower> made, boolean sensitive, String... arguments) {
        CalibrateCommand command = new CalibrateCommand(terminal(), (spec, cacheModel, fingerprint) -> {
            made.add(new KeyPower(fingerprint, sensitive));
            return made.getLast();
        });
        CommandLine line = new CommandLine(command);
        line.setExecutionExceptionHandler((e, where, parsed) -> {
            terminal().err().println(Failures.line(e));
            return 1;
        });
        return line.execute(arguments);
    }

    private String[] arguments(Path file, String... more) {
        return Stream.concat(Stream.of("exact", "-m", model, "-t", text, "-o", file.toString()), Stream.of(more))
                .toArray(String[]::new);
    }

    @Test
    void writesWhatTheCalibratorLearntOfTheSamples() {
        Path file = folder.resolve("learnt.safetensors");
        List<KeyPower> made = new ArrayList<>();
        int exit = run(made, false, arguments(file, "--samples", "3", "--length", "64"));

        assertThat(errors()).contains("calibrate, pass 2 of 2: 192 tokens");
        assertThat(exit).isZero();
        assertThat(made.getFirst().lengths).hasSize(2 * 3 * 2).containsOnly(64);
        Calibration read = CalibrationFile.read(
                file, "exact", ModelFolder.open(Path.of(model)).fingerprint());
        assertThat(read.data("power", 2)[0]).isPositive().isEqualTo((float) made.getFirst().plain);
        assertThat(read.data("power", 2)[1]).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("3 samples of 64 tokens", file.toString());
    }

    @Test
    void seedChoosesTheSamples() {
        List<KeyPower> made = new ArrayList<>();
        for (String seed : List.of("5", "5", "6")) {
            Path file = folder.resolve("seed.safetensors");
            assertThat(run(made, false, arguments(file, "--force", "--samples", "2", "--length", "37", "--seed", seed)))
                    .isZero();
        }
        assertThat(made.get(1).plain).isEqualTo(made.get(0).plain);
        assertThat(made.get(2).plain).isNotEqualTo(made.get(0).plain);
    }

    @Test
    void gradientsComeFromTheTrainerWhenWanted() {
        List<KeyPower> made = new ArrayList<>();
        int exit = run(made, true, arguments(folder.resolve("fisher.safetensors"), "--samples", "2", "--length", "32"));

        assertThat(exit).isZero();
        assertThat(made.getFirst().weighted).isPositive().isLessThan(made.getFirst().plain);
    }

    @Test
    void fileThatIsThereIsKeptUnlessForced() throws IOException {
        Path file = Files.writeString(folder.resolve("mine"), "mine");

        assertThat(run(new ArrayList<>(), false, arguments(file))).isEqualTo(1);
        assertThat(errors()).contains(file.toString(), "already exists", "--force");
        assertThat(file).hasContent("mine");
        assertThat(run(new ArrayList<>(), false, arguments(file, "--force", "--samples", "1", "--length", "8")))
                .isZero();
        assertThat(Files.size(file)).isGreaterThan(8);
    }

    @Test
    void whatCannotBeWrittenIsFoundBeforeTheWork() {
        List<KeyPower> made = new ArrayList<>();
        Path nowhere = Path.of("/no/such/folder/x");

        assertThat(run(made, false, arguments(nowhere))).isEqualTo(1);
        assertThat(errors()).contains(nowhere.toString()).hasLineCount(1);
        assertThat(made).isEmpty();
    }

    @Test
    void textTooShortIsNamedAndLeavesNoFile() {
        Path file = folder.resolve("none.safetensors");

        assertThat(run(new ArrayList<>(), false, arguments(file, "--samples", "100")))
                .isEqualTo(1);
        assertThat(errors()).contains("the text has", "100 samples of 256", "need 25600");
        assertThat(file).doesNotExist();
    }

    @Test
    void lengthBeyondTheContextIsNamed() {
        assertThat(run(new ArrayList<>(), false, arguments(folder.resolve("x"), "--length", "257")))
                .isEqualTo(1);
        assertThat(errors()).contains("--length is 257", "256");
    }

    @Test
    void methodThatNeedsNoneIsToldSo() {
        String[] command = Stream.concat(Stream.of("calibrate"), Stream.of(arguments(folder.resolve("x"))))
                .toArray(String[]::new);

        assertThat(Main.run(terminal(), command)).isEqualTo(1);
        assertThat(errors())
                .contains("exact needs no calibration", "Methods that can use one: ")
                .hasLineCount(1);
    }

    @Test
    void everyMethodThatNeedsACalibrationGetsOneItCanRead() {
        for (CacheMethod method : Caches.describe()) {
            if (!method.canCalibrate()) {
                continue;
            }
            Path file = folder.resolve(method.name() + ".safetensors");
            int exit = Main.run(
                    terminal(),
                    "calibrate",
                    method.name(),
                    "-m",
                    model,
                    "-t",
                    text,
                    "-o",
                    file.toString(),
                    "--samples",
                    "2",
                    "--length",
                    "128");
            assertThat(errors()).doesNotContain("kvasir:");
            assertThat(exit).as(method.name()).isZero();
            int used = Main.run(
                    terminal(),
                    "generate",
                    "-m",
                    model,
                    "-p",
                    "The wise",
                    "-n",
                    "2",
                    "-c",
                    method.name() + "(file=\"" + file + "\")");
            assertThat(used).as(method.name() + " reads what it wrote").isZero();
        }
    }
}
