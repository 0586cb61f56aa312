package dev.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.KvasirException;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SamplerTest {
    private static SamplingOptions options(
            double temperature, int topK, double topP, double minP, double penalty, long seed) {
        return new SamplingOptions(temperature, topK, topP, minP, penalty, seed, 10, List.of());
    }

    /** Logits of few distinct values, so that equal ones are common. */
    private static float[] logits(Random random, int size) {
        float[] logits = new float[size];
        for (int i = 0; i < size; i++) {
            logits[i] = random.nextInt(10) == 0 ? Float.NEGATIVE_INFINITY : random.nextInt(-8, 9) / 2f;
        }
        logits[random.nextInt(size)] = 4.5f;
        return logits;
    }

    /** Probabilities by the definitions, with a full sort and no shortcut. */
    private static double[] naive(float[] logits, SamplingOptions options, Set<Integer> occurred) {
        double[] scores = new double[logits.length];
        for (int i = 0; i < scores.length; i++) {
            float penalty = occurred.contains(i) ? (float) options.repetitionPenalty() : 1;
            scores[i] = (logits[i] > 0 ? logits[i] / penalty : logits[i] * penalty) / options.temperature();
        }
        List<Integer> order = IntStream.range(0, logits.length)
                .boxed()
                .sorted(Comparator.<Integer>comparingDouble(i -> -scores[i]).thenComparing(i -> i))
                .toList();
        if (options.topK() > 0) {
            order = order.subList(0, Math.min(options.topK(), order.size()));
        }
        double[] p = softmax(scores, order);
        if (options.topP() < 1) {
            int count = 0;
            for (double sum = 0; count < order.size() && sum < options.topP() - 1e-12; count++) {
                sum += p[order.get(count)];
            }
            order = order.subList(0, count);
        }
        double top = p[order.getFirst()];
        order = order.stream().filter(i -> p[i] >= options.minP() * top - 1e-12).toList();
        return softmax(scores, order);
    }

    private static double[] softmax(double[] scores, List<Integer> kept) {
        double max = scores[kept.getFirst()];
        double sum = kept.stream().mapToDouble(i -> Math.exp(scores[i] - max)).sum();
        double[] p = new double[scores.length];
        kept.forEach(i -> p[i] = Math.exp(scores[i] - max) / sum);
        return p;
    }

    @Test
    void drawsWithTheProbabilitiesOfTheDefinitions() {
        Random random = new Random(1);
        int draws = 4000;
        for (int round = 0; round < 300; round++) {
            int size = 1 + random.nextInt(14);
            float[] logits = logits(random, size);
            SamplingOptions options = options(
                    0.3 + 2 * random.nextDouble(),
                    random.nextBoolean() ? 0 : 1 + random.nextInt(size + 2),
                    random.nextBoolean() ? 1 : 0.05 + 0.94 * random.nextDouble(),
                    random.nextBoolean() ? 0 : random.nextDouble(),
                    random.nextBoolean() ? 1 : 0.5 + random.nextDouble(),
                    random.nextLong());
            Sampler sampler = new Sampler(options, size);
            Set<Integer> occurred = Set.of(random.nextInt(size));
            occurred.forEach(sampler::accept);
            double[] expected = naive(logits, options, occurred);
            int[] counts = new int[size];
            for (int i = 0; i < draws; i++) {
                counts[sampler.next(logits)]++;
            }
            for (int id = 0; id < size; id++) {
                double p = expected[id];
                // Five standard deviations; a token that is filtered out must never come.
                assertThat(counts[id] / (double) draws)
                        .as("%s: token %s of %s", options, id, logits)
                        .isCloseTo(p, within(p == 0 ? 0 : 5 * Math.sqrt(p * (1 - p) / draws) + 1e-9));
            }
        }
    }

    @Test
    void keepsExactlyTopKOfEqualLogitsByLowerId() {
        Sampler sampler = new Sampler(options(1, 3, 1, 0, 1, 7), 100);
        Set<Integer> drawn = new TreeSet<>();
        for (int i = 0; i < 200; i++) {
            drawn.add(sampler.next(new float[100]));
        }
        assertThat(drawn).containsExactly(0, 1, 2);
    }

    @Test
    void greedyTakesTheLowerIdOfEquals() {
        Sampler sampler = new Sampler(SamplingOptions.greedy(5), 5);
        assertThat(sampler.next(new float[] {1, 3, 2, 3, -1})).isEqualTo(1);
        assertThat(sampler.next(new float[] {Float.NEGATIVE_INFINITY, -3, -5, -3, -4}))
                .isEqualTo(1);
    }

    @Test
    void penaltyCountsATokenOnceAndLeavesLogitsAlone() {
        Sampler sampler = new Sampler(options(0, 0, 1, 0, 2, 0), 3);
        sampler.accept(0);
        sampler.accept(0);
        float[] logits = {3, 1.4f, -1};
        // 3 / 2 is still above 1.4; dividing twice would not be.
        assertThat(sampler.next(logits)).isZero();
        assertThat(logits).containsExactly(3, 1.4f, -1);
        logits[1] = 1.6f;
        assertThat(sampler.next(logits)).isEqualTo(1);
        // A negative logit falls too.
        assertThat(sampler.next(new float[] {-1, -1.9f, -1.8f})).isEqualTo(2);
    }

    @Test
    void sameSeedDrawsTheSame() {
        Random random = new Random(2);
        float[] logits = logits(random, 50);
        for (int topK : new int[] {0, 20}) {
            List<Integer> first = draw(options(1, topK, 0.9, 0, 1, 42), logits);
            assertThat(draw(options(1, topK, 0.9, 0, 1, 42), logits)).isEqualTo(first);
            assertThat(draw(options(1, topK, 0.9, 0, 1, 43), logits)).isNotEqualTo(first);
        }
    }

    private static List<Integer> draw(SamplingOptions options, float[] logits) {
        Sampler sampler = new Sampler(options, logits.length);
        return IntStream.range(0, 100).mapToObj(i -> sampler.next(logits)).toList();
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
    void refusesLogitsThatAreNoNumbers(float bad) {
        for (int at = 0; at < 3; at++) {
            float[] logits = {1, 2, 3};
            logits[at] = bad;
            assertThatThrownBy(() -> new Sampler(SamplingOptions.greedy(1), 3).next(logits))
                    .isInstanceOf(KvasirException.class);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "-0.1, 0, 1, 0, 1, 5, temperature",
        "NaN, 0, 1, 0, 1, 5, temperature",
        "1, -1, 1, 0, 1, 5, topK",
        "1, 0, 0, 0, 1, 5, topP",
        "1, 0, 1.1, 0, 1, 5, topP",
        "1, 0, NaN, 0, 1, 5, topP",
        "1, 0, 1, -1, 1, 5, minP",
        "1, 0, 1, 2, 1, 5, minP",
        "1, 0, 1, 0, 0, 5, repetitionPenalty",
        "1, 0, 1, 0, Infinity, 5, repetitionPenalty",
        "1, 0, 1, 0, 1, 0, maxTokens",
    })
    void refusesOptionsOutOfRange(
            double temperature, int topK, double topP, double minP, double penalty, int maxTokens, String option) {
        assertThatThrownBy(() -> new SamplingOptions(temperature, topK, topP, minP, penalty, 0, maxTokens, List.of()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith(option + " must be ")
                .hasMessageContaining("found ");
    }

    @Test
    void refusesAnEmptyStopText() {
        assertThatThrownBy(() -> new SamplingOptions(1, 0, 1, 0, 1, 0, 1, List.of("a", "")))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith("stop must be texts of at least one character");
    }
}
