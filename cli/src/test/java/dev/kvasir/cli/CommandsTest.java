package dev.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The commands on a real, if random, model. */
final class CommandsTest {
    private static final String SENTENCE = "The wise giant gave the dwarf a cup of mead. ";

    @TempDir
    static Path shared;

    @TempDir
    Path folder;

    private static String model = "";

    @BeforeAll
    static void writeModel() throws IOException {
        model = TinyModel.write(Files.createDirectories(shared.resolve("tiny"))).toString();
    }

    private static JsonNode json(String text) {
        return JsonMapper.builder().build().readTree(text);
    }

    @Test
    void idsDecodeToTheText() {
        String text = "The wise giant, día 🌍\n two  lines";

        Run ids = Run.of("tokenize", "-m", model, "--ids", text);
        Run back = Run.withInput(ids.out(), "tokenize", "-m", model, "--decode");

        assertThat(ids.out()).matches("[0-9]+( [0-9]+)*\n");
        assertThat(back.out()).isEqualTo(text + "\n");
    }

    @Test
    void idOutsideTheVocabularyIsNamed() {
        Run run = Run.of("tokenize", "-m", model, "--decode", "5", "300");

        assertThat(run.exit()).isEqualTo(2);
        assertThat(run.err()).contains("token 2 is '300'", "0 to 299");
    }

    @Test
    void textThatIsNotUtf8IsRefused() throws IOException {
        Path file = Files.write(folder.resolve("latin1.txt"), new byte[] {'a', (byte) 0xe9, 'b'});

        Run run = Run.of("tokenize", "-m", model, "--file", file.toString());

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.errors()).singleElement().asString().contains("not valid UTF-8");
    }

    @Test
    void sameSeedGeneratesTheSame() {
        String[] command = {"generate", "-m", model, "-p", SENTENCE, "--seed", "5", "-n", "12"};

        assertThat(Run.of(command).out()).isEqualTo(Run.of(command).out()).isNotBlank();
    }

    @Test
    void statsGoToStandardErrorOnly() {
        String[] command = {"generate", "-m", model, "-p", SENTENCE, "--temperature", "0", "-n", "4"};
        Run plain = Run.of(command);
        Run stats = Run.of("generate", "-m", model, "-p", SENTENCE, "--temperature", "0", "-n", "4", "--stats");

        assertThat(plain.err()).isEmpty();
        assertThat(stats.out()).isEqualTo(plain.out());
        assertThat(stats.err()).contains("tokens/s", "bits per element", "bytes");
    }

    @Test
    void savedCacheGoesOnWhereItStopped() {
        String cache = folder.resolve("half.kv").toString();
        String whole = Run.withInput("The wise\ngiant\n", greedy("chat")).out();
        String first = Run.of(greedy("generate", "-p", "The wise", "--save-cache", cache))
                .out();
        String second = Run.of(greedy("generate", "-p", "\ngiant", "--load-cache", cache))
                .out();
        String reloaded = Run.withInput(
                        "The wise\n/save " + cache + "\n/reset\n/load " + cache + "\ngiant\n", greedy("chat"))
                .out();

        assertThat(whole).isNotBlank().isEqualTo(first + second).isEqualTo(reloaded);
    }

    private static String[] greedy(String command, String... more) {
        return Stream.concat(Stream.of(command, "-m", model, "--temperature", "0", "-n", "6"), Stream.of(more))
                .toArray(String[]::new);
    }

    @Test
    void cacheOfAnotherModelIsRefused() throws IOException {
        String cache = folder.resolve("mine.kv").toString();
        assertThat(Run.of("generate", "-m", model, "-p", "a", "-n", "1", "--save-cache", cache)
                        .exit())
                .isZero();
        Path other = TinyModel.write(Files.createDirectories(folder.resolve("other")));
        Path config = other.resolve("config.json");
        Files.writeString(config, Files.readString(config).replace("10000.0", "20000.0"));

        Run run = Run.of("generate", "-m", other.toString(), "--load-cache", cache, "-p", "a");

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.errors()).singleElement().asString().contains("model");
    }

    @Test
    void promptLongerThanTheContextIsRefused() {
        Run run = Run.withInput(SENTENCE.repeat(100), "generate", "-m", model);

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.errors()).singleElement().asString().contains("prompt", "256");
    }

    @Test
    void emptyPromptIsRefused() {
        Run run = Run.of("generate", "-m", model);

        assertThat(run.exit()).isEqualTo(2);
        assertThat(run.errors()).singleElement().asString().contains("the prompt is empty");
    }

    @Test
    void budgetTooSmallForThePromptIsNamed() {
        Run run = Run.withInput(SENTENCE.repeat(4), "generate", "-m", model, "--cache-budget", "100");

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.errors()).singleElement().asString().contains("budget");
    }

    @Test
    void truncatedModelIsNamed() throws IOException {
        Path broken = TinyModel.write(Files.createDirectories(folder.resolve("broken")));
        Path weights = broken.resolve("model.safetensors");
        try (RandomAccessFile file = new RandomAccessFile(weights.toFile(), "rw")) {
            file.setLength(file.length() / 2);
        }

        Run run = Run.of("generate", "-m", broken.toString(), "-p", "x");

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.errors()).singleElement().asString().contains("model.safetensors");
    }

    @Test
    void chatTakesTurnsFromAPipe() {
        String script = "The wise\n/cache\ngiant\n/nonsense\n/save\n/reset\n/cache\n/load /no/such.kv\n/exit\nnever\n";

        Run run = Run.withInput(script, "chat", "-m", model, "-n", "4", "--temperature", "0");

        assertThat(run.exit()).isZero();
        assertThat(run.out().lines()).hasSizeGreaterThanOrEqualTo(2);
        assertThat(run.err())
                .contains(
                        "codes", "no command /nonsense", "/save needs a file", "0 tokens", "/no/such.kv: no such file");
        assertThat(run.err()).doesNotContain("> ").doesNotContain("\tat ");
    }

    @Test
    void chatSavesAndLoads() {
        String file = folder.resolve("chat.kv").toString();

        Run run = Run.withInput(
                "The wise giant\n/save " + file + "\n/reset\n/load " + file + "\n", "chat", "-m", model, "-n", "3");

        assertThat(run.exit()).isZero();
        assertThat(run.err()).contains("saved " + file);
        assertThat(run.errors().getLast()).contains(" tokens, ").doesNotContain(" 0 tokens");
    }

    @Test
    void perplexityOfTheExactCacheDoesNotDiverge() throws IOException {
        Path text = Files.writeString(folder.resolve("text.txt"), SENTENCE.repeat(12));
        Run run = Run.of(
                "perplexity",
                "-m",
                model,
                "-t",
                text.toString(),
                "-c",
                "exact(dtype=f32)",
                "--context",
                "64",
                "--prefill",
                "32",
                "--json");

        assertThat(run.exit()).isZero();
        JsonNode result = json(run.out());
        assertThat(result.get("kld").asDouble()).isZero();
        assertThat(result.get("top1").asDouble()).isEqualTo(1);
        assertThat(result.get("ppl").asDouble())
                .isCloseTo(Math.exp(result.get("nll").asDouble()), offset(1e-9));
        assertThat(result.get("bitsPerElement").asDouble()).isGreaterThanOrEqualTo(32);
        assertThat(result.get("tokens").asLong() % 31).isZero();
        assertThat(result.get("cacheBytes").asLong()).isPositive();
    }

    @Test
    void textShorterThanAWindowIsRefused() throws IOException {
        Path text = Files.writeString(folder.resolve("text.txt"), SENTENCE);

        Run run = Run.of("perplexity", "-m", model, "-t", text.toString());

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.errors().getLast()).contains("256");
    }

    @Test
    void contextBeyondTheModelIsRefused() throws IOException {
        Path text = Files.writeString(folder.resolve("text.txt"), SENTENCE.repeat(100));

        Run run = Run.of("perplexity", "-m", model, "-t", text.toString(), "--context", "512");

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.errors()).singleElement().asString().contains("512", "256");
    }

    @Test
    void benchReportsEveryCacheAndDepth() {
        Run run = Run.of(
                "bench",
                "-m",
                model,
                "-c",
                "exact(dtype=f16)",
                "-c",
                "kivi(bits=2)",
                "--prefill",
                "32",
                "--depth",
                "0,64",
                "--decode",
                "4",
                "-r",
                "2",
                "--json");

        assertThat(run.exit()).isZero();
        JsonNode results = json(run.out()).get("results");
        assertThat(results.size()).isEqualTo(2);
        assertThat(results.get(1).get("cache").asString()).startsWith("kivi");
        assertThat(results.get(1).get("depths").size()).isEqualTo(2);
        assertThat(results.get(1)
                        .get("depths")
                        .get(1)
                        .get("decode")
                        .get("median")
                        .asDouble())
                .isPositive();
    }

    @Test
    void infoNamesBytesAsAllocated() {
        Run run = Run.of("info", model, "--context", "128", "-c", "exact(dtype=f16)", "--json");

        JsonNode cache = json(run.out()).get("caches").get(0);
        // 2 (K and V) x 2 layers x 1 head x 32 channels x 2 bytes x 128 tokens
        assertThat(cache.get("total").asLong()).isEqualTo(2 * 2 * 32 * 2 * 128);
        assertThat(cache.get("bitsPerElement").asDouble()).isEqualTo(16);
    }

    @Test
    void infoDoesNotTakeTheModelForTheFileToWrite() {
        Run run = Run.of("info", "--json", model);

        assertThat(run.exit()).isZero();
        assertThat(json(run.out()).get("model").get("layers").asInt()).isEqualTo(2);
    }

    @Test
    void benchWritesAReportOfTimeAgainstDepth() {
        Path report = folder.resolve("bench.html");
        String[] few = {"bench", "-m", model, "-c", "exact(f16)", "--prefill", "8", "--decode", "2", "-r", "1"};
        Run run = Run.of(Stream.concat(Stream.of(few), Stream.of("--depth", "0,64,128", "--report", report.toString()))
                .toArray(String[]::new));
        Run unwritable = Run.of(Stream.concat(Stream.of(few), Stream.of("--report", "/no/such/folder/r.html"))
                .toArray(String[]::new));

        assertThat(run.exit()).isZero();
        assertThat(run.err()).contains("wrote " + report);
        assertThat(report).content().contains("milliseconds a token", "exact(f16)", "ms at depth 128");
        assertThat(unwritable.exit()).isEqualTo(1);
        assertThat(unwritable.errors()).singleElement().asString().contains("/no/such/folder/r.html");
    }

    @Test
    void compareShowsTurnsInOneColumn() {
        Run run = Run.of(
                "compare",
                "-m",
                model,
                "--effort",
                "quick",
                "--context",
                "256",
                "--task",
                "many-shot,many-shot:turns",
                "--turns",
                "2",
                "-c",
                "kivi(bits=2)",
                "--no-report");

        assertThat(run.exit()).isZero();
        assertThat(run.out().lines().findFirst().orElseThrow()).contains("many-shot  many-shot turn 1/2");
        assertThat(run.out().lines().skip(1)).hasSize(2).allMatch(row -> row.matches(".*\\d\\.\\d/\\d+\\.\\d %.*"));
    }

    @Test
    void compareWritesOneRowPerCacheAndTheReport() {
        Path report = folder.resolve("report.html");
        Path result = folder.resolve("result.json");
        Run run = Run.of(
                "compare",
                "-m",
                model,
                "--effort",
                "quick",
                "--context",
                "128",
                "--no-tasks",
                "-c",
                "kivi(bits=2)",
                "-o",
                report.toString(),
                "--json",
                result.toString());

        assertThat(run.exit()).isZero();
        assertThat(run.out().lines()).hasSize(3);
        assertThat(run.out()).contains("exact(f32)", "kivi(bits=2)", "bits/element", "peak RSS");
        assertThat(report).isNotEmptyFile();
        assertThat(result).content().contains("\"rows\"");
    }

    @Test
    void unwritableReportIsFoundBeforeTheWork() {
        Run run = Run.of("compare", "-m", model, "-o", "/no/such/folder/report.html");

        assertThat(run.exit()).isEqualTo(1);
        assertThat(run.errors()).singleElement().asString().contains("/no/such/folder/report.html");
    }

    @Test
    void convertedModelSaysTheSameAndIsNotConvertedAgain() throws IOException {
        Path text = Files.writeString(folder.resolve("text.txt"), TinyModel.TEXT);
        String[][] ways = {{}, {"--text", text.toString(), "--samples", "2", "--length", "64"}};
        for (String[] way : ways) {
            String out = folder.resolve("sorted" + way.length).toString();
            Run run = Run.of(
                    Stream.concat(Stream.of("convert", "bfp", "-m", model, "-o", out, "--block", "8"), Stream.of(way))
                            .toArray(String[]::new));
            String[] asked = {"generate", "-p", SENTENCE, "--temperature", "0", "-n", "12", "-m"};

            assertThat(run.err()).doesNotContain("kvasir:");
            assertThat(run.exit()).isZero();
            assertThat(Run.of(with(asked, out)).out())
                    .isEqualTo(Run.of(with(asked, model)).out())
                    .isNotBlank();
            Run again = Run.of(
                    "convert", "bfp", "-m", out, "-o", folder.resolve("again").toString(), "--block", "8");
            assertThat(again.exit()).isEqualTo(1);
            assertThat(again.errors()).singleElement().asString().contains("converted before");
        }
    }

    private static String[] with(String[] arguments, String last) {
        return Stream.concat(Stream.of(arguments), Stream.of(last)).toArray(String[]::new);
    }

    @Test
    void conversionsThatCannotBeAreOneLine() {
        String there = folder.toString();
        Run whole = Run.of(
                "convert", "bfp", "-m", model, "-o", folder.resolve("new").toString());
        Run odd = Run.of(
                "convert", "bfp", "-m", model, "-o", folder.resolve("new").toString(), "--block", "12");
        Run full = Run.of("convert", "bfp", "-m", there, "-o", model);

        assertThat(whole.errors()).singleElement().asString().contains("whole head", "32");
        assertThat(odd.errors()).singleElement().asString().contains("divide the head's 32 channels", "12");
        assertThat(full.errors()).singleElement().asString().contains(model, "already exists");
        assertThat(folder.resolve("new")).doesNotExist();
    }

    @Test
    void trainedTokenizerIsUsable() throws IOException {
        Path text = Files.writeString(folder.resolve("text.txt"), TinyModel.TEXT);
        Path output = folder.resolve("tokenizer");

        Run run = Run.of("tokenizer", "train", "-a", "bpe", "-v", "300", "-o", output.toString(), text.toString());

        assertThat(run.exit()).isZero();
        assertThat(run.out()).contains("BPE with 300 ids");
        assertThat(output.resolve("tokenizer.json")).isNotEmptyFile();
    }
}
