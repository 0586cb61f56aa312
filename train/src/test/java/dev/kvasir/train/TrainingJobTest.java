package dev.kvasir.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.format.ModelFolder;
import dev.kvasir.model.Model;
import dev.kvasir.train.recipe.Recipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingJobTest {
    @TempDir
    static Path folder;

    private static Path tokenizer = Path.of("unset");

    @BeforeAll
    static void trainTokenizer() {
        tokenizer = TestTexts.tokenizer(folder.resolve("tokenizer"));
    }

    /** Losses of every step. */
    private static final class Losses implements TrainListener {
        final List<Double> values = new ArrayList<>();

        @Override
        public void onStep(
                long step,
                long steps,
                String stage,
                double loss,
                double learningRate,
                double tokensPerSecond,
                double secondsLeft) {
            values.add(loss);
        }

        @Override
        public void onEvaluation(long step, EvaluationReport report) {}
    }

    private static TrainingJob job(Recipe recipe, String output) {
        return new TrainingJob(
                recipe, TrainingTokenizer.given(tokenizer), Optional.empty(), folder.resolve(output), 1, Precision.F32);
    }

    @Test
    void someStepsLowerTheLossAndGiveAFolderThatOpens() throws InterruptedException {
        Losses losses = new Losses();
        job(TestTexts.recipe(40), "smoke").run(false, Long.MAX_VALUE, losses);

        double first = losses.values.subList(2, 7).stream()
                .mapToDouble(d -> d)
                .average()
                .orElseThrow();
        double last = losses.values.subList(35, 40).stream()
                .mapToDouble(d -> d)
                .average()
                .orElseThrow();
        assertThat(last).isLessThan(first - 0.5);

        Model model = ModelFolder.open(folder.resolve("smoke"));
        assertThat(model.config().layers()).isEqualTo(2);
        assertThat(model.config().vocabularySize()).isEqualTo(TestTexts.VOCABULARY);
        assertThat(folder.resolve("smoke/README.md")).content().contains("40 of 40 steps");
    }

    @Test
    void resumedRunGoesOnExactlyAsTheUninterruptedOne() throws InterruptedException {
        Recipe recipe = TestTexts.recipe(8);
        Losses whole = new Losses();
        job(recipe, "whole").run(false, Long.MAX_VALUE, whole);
        Losses parts = new Losses();
        job(recipe, "parts").run(false, 5, parts);
        job(recipe, "parts").run(true, Long.MAX_VALUE, parts);

        assertThat(parts.values).isEqualTo(whole.values);
        assertThat(folder.resolve("parts/model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/model.safetensors"));
    }

    @Test
    void refusesToOverwriteARunAndToResumeNone() throws InterruptedException {
        Recipe recipe = TestTexts.recipe(4);
        job(recipe, "twice").run(false, 1, new Losses());

        assertThatThrownBy(() -> job(recipe, "twice").run(false, 1, new Losses()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("resume");
        assertThatThrownBy(() -> job(recipe, "none").run(true, 1, new Losses()))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining("no checkpoint");
    }

    @Test
    void refusesADamagedCheckpoint() throws Exception {
        Recipe recipe = TestTexts.recipe(4);
        job(recipe, "damaged").run(false, 1, new Losses());
        Path checkpoint = folder.resolve("damaged/training/checkpoint.pt");
        byte[] bytes = Files.readAllBytes(checkpoint);
        Files.write(checkpoint, Arrays.copyOf(bytes, bytes.length / 2));

        assertThatThrownBy(() -> job(recipe, "damaged").run(true, 2, new Losses()))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining("is no checkpoint of this recipe");
    }
}
