package dev.kvasir.cache.method.a2ats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.engine.CalibrationRun;
import dev.kvasir.engine.SensitivitySource;
import dev.kvasir.format.ModelFolder;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** The attention that the shipped model gives to what is read, on a text of its own that the calibration has not seen. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class A2AtsShippedModelTest {
    private static final Path FOLDER = Path.of("..", "models", "kvasir-tiny");
    private static final int TOKENS = 900;
    private static final int WINDOW = 32;
    private static final int SINKS = 8;
    private static final double SHARE = 0.05;

    private final List<float[]> plainKeys = new ArrayList<>();
    private final List<float[]> keys = new ArrayList<>();
    private final List<float[]> plainQueries = new ArrayList<>();
    private final List<float[]> queries = new ArrayList<>();
    private CacheShape shape = new CacheShape(1, 1, 1, 2, 1);

    @BeforeAll
    void readAText() {
        assumeTrue(Files.exists(FOLDER), "models/kvasir-tiny is not here");
        Model model = ModelFolder.open(FOLDER);
        shape = model.config().cacheShape();
        Calibrator collector = new Calibrator() {
            @Override
            public void see(int layer, TokenStates states, Queries seen, Sensitivity sensitivity) {
                plainKeys.add(states.keysBeforeRope().clone());
                keys.add(states.keys().clone());
                plainQueries.add(seen.queriesBeforeRope().clone());
                queries.add(seen.queries().clone());
            }

            @Override
            public Calibration finish() {
                return new Calibration("none", Map.of(), "", Map.of());
            }
        };
        try (PagePool pool = Steps.pool()) {
            new CalibrationRun(model, pool, Steps.sequential())
                    .run(collector, List.of(text(model, pool)), SensitivitySource.NONE, CalibrationRun.Listener.NONE);
        }
    }

    /** What the model itself says, token by token. */
    private static int[] text(Model model, PagePool pool) {
        Random random = new Random(5);
        int[] tokens = new int[TOKENS];
        float[] logits = new float[model.config().vocabularySize()];
        Decoder decoder = new Decoder(model, Steps.sequential());
        try (KvCache cache = Caches.create(CacheSpec.parse("exact"), model.cacheModel(), pool, Steps.sequential())) {
            tokens[0] = 1;
            for (int i = 1; i < TOKENS; i++) {
                decoder.forward(cache, tokens, i - 1, 1, logits);
                double sum = 0;
                for (float logit : logits) {
                    sum += Math.exp(logit);
                }
                double left = random.nextDouble() * sum;
                while (tokens[i] < logits.length - 1 && left >= Math.exp(logits[tokens[i]])) {
                    left -= Math.exp(logits[tokens[i]++]);
                }
            }
        }
        return tokens;
    }

    /** The weights of full attention of a query head over all tokens up to its own. */
    private double[] weights(int layer, int head, int position) {
        int d = shape.headDim();
        int h = head / shape.queriesPerKvHead();
        double[] weights = new double[position + 1];
        double total = 0;
        for (int t = 0; t <= position; t++) {
            double score = 0;
            for (int i = 0; i < d; i++) {
                score += queries.get(layer)[(position * shape.heads() + head) * d + i]
                        * (double) keys.get(layer)[(t * shape.kvHeads() + h) * d + i];
            }
            weights[t] = Math.exp(score / Math.sqrt(d));
            total += weights[t];
        }
        for (int t = 0; t <= position; t++) {
            weights[t] /= total;
        }
        return weights;
    }

    /** Mean mass of what each KV head reads when {@code read} says what. */
    private double[] masses(CacheModel model) {
        Calibration calibration = model.calibrations().find("a2ats", "");
        PlainA2Ats plain = new PlainA2Ats(shape, calibration, 2048, 500_000);
        Random random = new Random(1);
        double[] masses = new double[3];
        int heads = 0;
        for (int position = 700; position < TOKENS; position += 40) {
            for (int layer = 0; layer < shape.layers(); layer++) {
                int[][] read =
                        plain.read(states(layer), queries(layer, position), layer, position, WINDOW, SINKS, SHARE);
                for (int head = 0; head < shape.heads(); head++) {
                    int[] chosen = read[head / shape.queriesPerKvHead()];
                    double[] weights = weights(layer, head, position);
                    int candidates = position - WINDOW + 1 - SINKS;
                    int beside = chosen.length - SINKS - WINDOW + 1;
                    TreeSet<Integer> drawn = new TreeSet<>();
                    while (drawn.size() < beside) {
                        drawn.add(SINKS + random.nextInt(candidates));
                    }
                    for (int t : chosen) {
                        masses[0] += weights[t];
                    }
                    for (int t : drawn) {
                        masses[1] += weights[t];
                    }
                    for (int t = 0; t < position; t++) {
                        boolean always = t < SINKS || t > position - WINDOW;
                        masses[1] += always ? weights[t] : 0;
                        // As many tokens, all of them in the window.
                        masses[2] += t < SINKS || t > position - WINDOW - beside ? weights[t] : 0;
                    }
                    heads++;
                    for (int kind = 0; kind < 3; kind++) {
                        masses[kind] += weights[position];
                    }
                }
            }
        }
        for (int kind = 0; kind < 3; kind++) {
            masses[kind] /= heads;
        }
        return masses;
    }

    private TokenStates states(int layer) {
        return dev.kvasir.cache.OneStep.states(0, TOKENS, plainKeys.get(layer), keys.get(layer), keys.get(layer));
    }

    private Queries queries(int layer, int position) {
        int run = shape.heads() * shape.headDim();
        float[] own = java.util.Arrays.copyOfRange(plainQueries.get(layer), position * run, (position + 1) * run);
        return dev.kvasir.cache.OneStep.queries(1, own);
    }

    /** Item 8 of the specification, as far as attention shows it. */
    @Test
    void whatIsReadGetsMoreAttentionThanAsManyTokensAtRandom() {
        double[] masses = masses(ModelFolder.open(FOLDER).cacheModel());
        System.err.println(java.util.Arrays.toString(masses));
        assertThat(masses[0]).isGreaterThan(masses[1] + 0.03);
    }
}
