package dev.kvasir.lab.perplexity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.PagePool;
import dev.kvasir.format.ModelFolder;
import dev.kvasir.lab.accuracy.Exam;
import dev.kvasir.lab.accuracy.TaskOptions;
import dev.kvasir.lab.accuracy.TaskResult;
import dev.kvasir.lab.accuracy.TaskScore;
import dev.kvasir.lab.accuracy.TurnOptions;
import dev.kvasir.lab.accuracy.TurnScore;
import dev.kvasir.lab.accuracy.Way;
import dev.kvasir.lab.step.EngineModel;
import dev.kvasir.lab.step.Progress;
import dev.kvasir.lab.task.ManyShot;
import dev.kvasir.lab.task.Prose;
import dev.kvasir.lab.task.Retrieval;
import dev.kvasir.lab.task.Split;
import dev.kvasir.lab.task.Task;
import dev.kvasir.lab.task.TwoHop;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Workers;
import dev.kvasir.tokenizer.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What caches do to the model that ships with the project. */
class ShippedModelTest {
    private static final Path MODEL = Path.of("..", "models", "kvasir-tiny");
    private static final CacheSpec EXACT = CacheSpec.parse("exact(f32)");
    private static final CacheSpec KIVI4 = CacheSpec.parse("kivi(bits=4)");
    private static final CacheSpec KIVI2 = CacheSpec.parse("kivi(bits=2)");
    private static final CacheSpec PLAIN2 = CacheSpec.parse("kivi(bits=2, k_axis=token, residual=0)");

    @Test
    void kivi4IsNearExactKivi2CloseBehindAndPlainTwoBitsFarWorse() {
        assumeTrue(Files.exists(MODEL), "models/kvasir-tiny is not here");
        Model model = ModelFolder.open(MODEL);
        try (Workers workers = Workers.of(2);
                PagePool pool = new PagePool(1L << 28);
                Tokenizer tokenizer = Tokenizer.open(MODEL, model.config().vocabularySize())) {
            int[] tokens =
                    tokenizer.encode(new Prose().text(Split.TEST, 1, 1100, text -> tokenizer.encode(text).length));
            List<PerplexityResult> results = new PerplexityRun(
                            new EngineModel(model, pool, workers), EXACT, new PerplexityOptions(900, 500, 1))
                    .run(tokens, List.of(KIVI4, KIVI2, PLAIN2), Progress.none());
            double kivi4 = results.get(0).kld();
            double kivi2 = results.get(1).kld();
            double plain = results.get(2).kld();
            assertThat(kivi4).isLessThan(0.002).isLessThan(kivi2 / 3);
            assertThat(kivi2).isLessThan(0.05).isLessThan(plain / 3);
            assertThat(results.get(2).ppl()).isGreaterThan(results.get(1).ppl());
        }
    }

    @Test
    void retrievesWithTheExactCacheAndWithKivi() {
        assumeTrue(Files.exists(MODEL), "models/kvasir-tiny is not here");
        Model model = ModelFolder.open(MODEL);
        try (Workers workers = Workers.of(2);
                PagePool pool = new PagePool(1L << 28);
                Tokenizer tokenizer = Tokenizer.open(MODEL, model.config().vocabularySize())) {
            var scores = new TaskScore(
                            new EngineModel(model, pool, workers),
                            tokenizer::encodeWithOffsets,
                            new TaskOptions(4, 1024, 4, 16, Split.TEST, 1))
                    .run(new Retrieval(), List.of(EXACT, KIVI2), Progress.none());
            assertThat(Stream.of(0, 1).map(i -> scores.get(i).answers().share()))
                    .allMatch(share -> share >= 0.75);
        }
    }

    @Test
    void answersASecondQuestionAsWellAsTheFirst() {
        assumeTrue(Files.exists(MODEL), "models/kvasir-tiny is not here");
        Model model = ModelFolder.open(MODEL);
        try (Workers workers = Workers.of(2);
                PagePool pool = new PagePool(1L << 28);
                Tokenizer tokenizer = Tokenizer.open(MODEL, model.config().vocabularySize())) {
            TurnScore score = new TurnScore(
                    new EngineModel(model, pool, workers),
                    tokenizer::encodeWithOffsets,
                    new TurnOptions(10, 512, 2, Split.TEST, 1));
            for (Task task : List.of(new Retrieval(), new TwoHop(), new ManyShot())) {
                TaskResult exact = score.run(new Exam(task, Way.TURNS), List.of(EXACT), Progress.none())
                        .getFirst();
                assertThat(exact.turns())
                        .hasSize(2)
                        .allSatisfy(
                                turn -> assertThat(turn.share()).as(task.name()).isGreaterThanOrEqualTo(0.9));
            }
            TaskResult alone = score.run(new Exam(new Retrieval(), Way.REQUESTS), List.of(EXACT), Progress.none())
                    .getFirst();
            assertThat(alone.answers().share()).isGreaterThanOrEqualTo(0.9);
        }
    }
}
