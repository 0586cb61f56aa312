package dev.kvasir.train.heads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.method.locret.RetainingHead;
import dev.kvasir.cache.method.locret.RetainingHeads;
import dev.kvasir.engine.CalibrationRun;
import dev.kvasir.format.CalibrationFile;
import dev.kvasir.format.ModelFolder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Workers;
import dev.kvasir.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Heads of the shipped model: the training itself, on few documents. */
class HeadsJobTest {
    private static final Path MODEL = Path.of("..", "models", "kvasir-tiny");

    @TempDir
    private Path folder = Path.of("unset");

    /** Losses of every step, and overlaps. */
    private static final class Heard implements HeadsListener {
        final List<Double> losses = new ArrayList<>();
        final Map<Long, Map<String, Double>> overlaps = new LinkedHashMap<>();

        @Override
        public void onStep(long step, long steps, double loss, double perSecond, double secondsLeft) {
            losses.add(loss);
        }

        @Override
        public void onEvaluation(long step, Map<String, Double> overlap) {
            overlaps.put(step, overlap);
        }
    }

    private static HeadOptions options(int steps, int length, List<String> tasks) {
        return new HeadOptions(32, steps, steps / 3, 0.004, HeadOptions.ALPHA, length, 1, tasks);
    }

    private Map<String, Double> run(
            HeadOptions options, String output, boolean resume, long last, int threads, Heard heard)
            throws IOException {
        assumeTrue(Files.exists(MODEL), "models/kvasir-tiny is not here");
        Model model = ModelFolder.open(MODEL);
        try (Workers workers = Workers.of(threads);
                PagePool pool = new PagePool(1L << 28);
                Tokenizer tokenizer = Tokenizer.open(MODEL, model.config().vocabularySize())) {
            return new HeadsJob(model, tokenizer, new CalibrationRun(model, pool, workers), workers, options, heard)
                    .run(folder.resolve(output), resume, last);
        }
    }

    @Test
    void lossFallsAndOverlapOnUnseenTextsRisesFarAboveChance() throws IOException {
        Heard heard = new Heard();
        HeadOptions options = options(60, 512, List.of("retrieval", "two-hop", "arithmetic", "labelling"));

        Map<String, Double> overlap = run(options, "heads", false, Long.MAX_VALUE, 2, heard);

        double first = mean(heard.losses.subList(0, 10));
        double last = mean(heard.losses.subList(50, 60));
        assertThat(last).isLessThan(0.9 * first);
        assertThat(overlap).hasSize(5);
        assertThat(mean(overlap.values())).isGreaterThan(0.2);
        // A task of another template, of which no document was learnt from.
        assertThat(overlap.get("facts")).isGreaterThan(0.15);
        assertThat(HeadsJob.checkpoint(folder.resolve("heads"))).doesNotExist();
    }

    @Test
    void shippedHeadsFitTheModelAndSayHowWellTheyFoundWhatAnswersWant() {
        assumeTrue(Files.exists(MODEL), "models/kvasir-tiny is not here");
        Model model = ModelFolder.open(MODEL);
        Calibration shipped = CalibrationFile.read(
                CalibrationFile.shipped(MODEL, RetainingHeads.METHOD), RetainingHeads.METHOD, model.fingerprint());

        List<RetainingHead> heads = RetainingHeads.read(shipped, model.config().cacheShape());

        assertThat(heads).hasSize(6).allMatch(head -> head.width() == 64);
        double overlap = shipped.options().entrySet().stream()
                .filter(option -> option.getKey().startsWith("overlap-"))
                .mapToDouble(option -> Double.parseDouble(option.getValue()))
                .average()
                .orElseThrow();
        assertThat(overlap).isGreaterThan(0.3);
    }

    @Test
    void resumedRunEndsWithTheSameBytesForAnyNumberOfThreads() throws IOException {
        HeadOptions options = options(8, 256, List.of("retrieval"));
        run(options, "whole", false, Long.MAX_VALUE, 1, new Heard());
        run(options, "parts", false, 5, 2, new Heard());
        assertThat(folder.resolve("parts")).doesNotExist();
        run(options, "parts", true, Long.MAX_VALUE, 2, new Heard());

        assertThat(folder.resolve("parts")).hasSameBinaryContentAs(folder.resolve("whole"));
    }

    @Test
    void refusesToResumeNothingOrAnotherRun() throws IOException {
        HeadOptions options = options(4, 256, List.of("retrieval"));
        assertThatThrownBy(() -> run(options, "none", true, 2, 1, new Heard()))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining("no checkpoint");
        run(options, "other", false, 1, 1, new Heard());
        HeadOptions longer = options(5, 256, List.of("retrieval"));
        assertThatThrownBy(() -> run(longer, "other", true, 2, 1, new Heard()))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining("steps is 4, expected 5");
    }

    @Test
    void refusesWhatCannotBeTrained() {
        assertThatThrownBy(() -> options(4, 256, List.of("retrievel")))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("did you mean 'retrieval'");
        assertThatThrownBy(() -> options(4, 100, List.of("retrieval")))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("at least 256 tokens");
        assertThatThrownBy(() -> run(options(4, 4096, List.of("retrieval")), "long", false, 1, 1, new Heard()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("context of 2048");
    }

    private static double mean(Iterable<Double> numbers) {
        double sum = 0;
        int count = 0;
        for (double number : numbers) {
            sum += number;
            count++;
        }
        return sum / count;
    }
}
