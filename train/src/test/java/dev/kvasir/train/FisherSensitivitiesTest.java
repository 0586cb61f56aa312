package dev.kvasir.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.format.ElementType;
import dev.kvasir.format.ModelFolder;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Workers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Gradients of libtorch against the engine's own decoder, whose keys and values are shifted one by one. */
class FisherSensitivitiesTest {
    private static final String LLAMA3 = """
            , "rope_scaling": {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16}""";

    @TempDir
    private Path folder;

    static Stream<RandomFolder> models() {
        return Stream.of(
                new RandomFolder(2, 4, 4, 8, true, ElementType.F32, ""),
                new RandomFolder(2, 4, 2, 6, false, ElementType.F16, LLAMA3),
                new RandomFolder(3, 6, 2, 10, true, ElementType.BF16, ""));
    }

    @ParameterizedTest
    @MethodSource("models")
    void gradientsAgreeWithFiniteDifferencesOfTheEngine(RandomFolder kind) throws IOException {
        Model model = ModelFolder.open(kind.write(folder));
        int[] tokens = new SplittableRandom(3)
                .ints(14, 0, model.config().vocabularySize())
                .toArray();
        List<Calibrator.Sensitivity> found = of(model, tokens);

        assertThat(found).hasSize(model.config().layers());
        for (int layer = 0; layer < found.size(); layer++) {
            check(model, tokens, layer, false, found.get(layer).keys());
            check(model, tokens, layer, true, found.get(layer).values());
        }
    }

    private static void check(Model model, int[] tokens, int layer, boolean values, float[] sensitivity) {
        int width = model.config().kvHeads() * model.config().headDim();
        assertThat(sensitivity).hasSize(tokens.length * width);
        for (float square : sensitivity) {
            assertThat(square).isNotNegative();
        }
        // The last token is attended to by no prediction that counts.
        assertThat(Arrays.copyOfRange(sensitivity, (tokens.length - 1) * width, tokens.length * width))
                .containsOnly(0f);
        // The loss is an f32 figure: only gradients that stand out of its rounding can be seen in it.
        int[] largest = IntStream.range(0, sensitivity.length)
                .boxed()
                .sorted((a, b) -> Float.compare(sensitivity[b], sensitivity[a]))
                .limit(6)
                .mapToInt(Integer::intValue)
                .toArray();
        for (int element : largest) {
            double difference = finiteDifference(model, tokens, layer, values, element);
            double gradient = Math.sqrt(sensitivity[element]);
            assertThat(Math.abs(difference))
                    .as("layer %d, %s, element %d", layer, values ? "value" : "key", element)
                    .isCloseTo(gradient, org.assertj.core.data.Offset.offset(1e-2 * gradient));
        }
    }

    /** Central, extrapolated once (Richardson), so that the step may be large enough for f32. */
    private static double finiteDifference(Model model, int[] tokens, int layer, boolean values, int element) {
        double near = central(model, tokens, layer, values, element, 0.04f);
        double far = central(model, tokens, layer, values, element, 0.08f);
        return (4 * near - far) / 3;
    }

    private static double central(Model model, int[] tokens, int layer, boolean values, int element, float step) {
        double up = loss(model, tokens, new ShiftedCache.Shift(layer, values, element, step));
        double down = loss(model, tokens, new ShiftedCache.Shift(layer, values, element, -step));
        return (up - down) / (2 * step);
    }

    private static double loss(Model model, int[] tokens, ShiftedCache.Shift shift) {
        int vocabulary = model.config().vocabularySize();
        float[] logits = new float[tokens.length * vocabulary];
        try (Workers workers = Workers.of(1);
                PagePool pool = new PagePool(1 << 22);
                KvCache exact = Caches.create(CacheSpec.parse("exact(dtype=f32)"), model.cacheModel(), pool, workers)) {
            KvCache shifted = new ShiftedCache(exact, shift, model.config().rotaryFrequencies(0));
            new Decoder(model, workers).forwardAll(shifted, tokens, 0, tokens.length, logits);
        }
        double sum = 0;
        for (int t = 0; t + 1 < tokens.length; t++) {
            double all = 0;
            for (int v = 0; v < vocabulary; v++) {
                all += Math.exp(logits[t * vocabulary + v]);
            }
            sum += Math.log(all) - logits[t * vocabulary + tokens[t + 1]];
        }
        return sum / (tokens.length - 1);
    }

    private static List<Calibrator.Sensitivity> of(Model model, int[] tokens) {
        try (FisherSensitivities source = new FisherSensitivities(model, 1)) {
            return source.of(tokens);
        }
    }

    @Test
    void sameSequenceGivesTheSame() throws IOException {
        Model model = ModelFolder.open(models().toList().getLast().write(folder));
        int[] tokens = new SplittableRandom(5)
                .ints(300, 0, model.config().vocabularySize())
                .toArray();
        List<Calibrator.Sensitivity> second;
        List<Calibrator.Sensitivity> first;
        try (FisherSensitivities source = new FisherSensitivities(model, 1)) {
            first = source.of(tokens);
            source.of(Arrays.copyOf(tokens, 20));
            second = source.of(tokens);
        }

        for (int layer = 0; layer < first.size(); layer++) {
            assertThat(second.get(layer).keys())
                    .containsExactly(first.get(layer).keys());
            assertThat(second.get(layer).values())
                    .containsExactly(first.get(layer).values());
        }
    }

    @Test
    void oneTokenHasNoLoss() throws IOException {
        Model model = ModelFolder.open(models().findFirst().orElseThrow().write(folder));

        assertThatThrownBy(() -> of(model, new int[] {1}))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("at least 2 tokens");
    }
}
