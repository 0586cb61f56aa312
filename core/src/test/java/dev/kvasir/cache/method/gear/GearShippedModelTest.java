package dev.kvasir.cache.method.gear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.kernel.Element;
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
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Errors on keys and values of the model that ships with the project, whose residuals are no white noise. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class GearShippedModelTest {
    private static final Path MODEL = Path.of("..", "models", "kvasir-tiny");
    private static final int TOKENS = 576;
    private static final int WIDTH = 128;

    /** Of each layer, {@code [token][channel of all heads]}. */
    private final List<float[][]> keys = new ArrayList<>();

    private final List<float[][]> values = new ArrayList<>();

    @BeforeAll
    void readAText() {
        assumeTrue(Files.exists(MODEL), "models/kvasir-tiny is not here");
        Model model = ModelFolder.open(MODEL);
        Calibrator collector = new Calibrator() {
            @Override
            public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
                keys.add(rows(states.keys()));
                values.add(rows(states.values()));
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

    private static float[][] rows(float[] flat) {
        float[][] rows = new float[TOKENS][];
        for (int t = 0; t < TOKENS; t++) {
            rows[t] = java.util.Arrays.copyOfRange(flat, t * WIDTH, (t + 1) * WIDTH);
            Element.F16.round(rows[t], 0, WIDTH);
        }
        return rows;
    }

    /** What the model itself says, token by token. */
    private static int[] text(Model model, PagePool pool) {
        Random random = new Random(1);
        int[] tokens = new int[TOKENS];
        float[] logits = new float[model.config().vocabularySize()];
        Decoder decoder = new Decoder(model, Steps.sequential());
        try (KvCache cache = Caches.create(CacheSpec.parse("exact"), model.cacheModel(), pool, Steps.sequential())) {
            tokens[0] = 1;
            for (int i = 1; i < TOKENS; i++) {
                decoder.forward(cache, tokens, i - 1, 1, logits);
                tokens[i] = sample(logits, random.nextDouble());
            }
        }
        return tokens;
    }

    private static int sample(float[] logits, double at) {
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit);
        }
        double left = at * sum;
        int token = 0;
        while (token < logits.length - 1 && left >= Math.exp(logits[token])) {
            left -= Math.exp(logits[token]);
            token++;
        }
        return token;
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void eachCorrectionHelps(int bits) {
        double[] alone = errors("gear(variant=backbone, bits=" + bits + ")");
        double[] lowRank = errors("gear(variant=gear-l, bits=" + bits + ")");
        double[] sparse = errors("gear(variant=gear, rank=0, decode_rank=0, bits=" + bits + ")");
        double[] both = errors("gear(variant=gear, bits=" + bits + ")");
        for (int side = 0; side < 2; side++) {
            assertThat(lowRank[side]).isLessThan(0.95 * alone[side]);
            assertThat(sparse[side]).isLessThan(0.9 * alone[side]);
            assertThat(both[side]).isLessThan(0.95 * sparse[side]).isLessThan(0.9 * lowRank[side]);
        }
    }

    /** The relative error of all keys and of all values. */
    private double[] errors(String spec) {
        double[] difference = new double[2];
        double[] norm = new double[2];
        try (PagePool pool = Steps.pool()) {
            for (int layer = 0; layer < keys.size(); layer++) {
                Chunk chunk = GearRig.chunk(spec, 2, 64, keys.get(layer), values.get(layer), pool);
                for (int side = 0; side < 2; side++) {
                    float[][] rows = (side == 0 ? keys : values).get(layer);
                    float[][] found = (side == 0 ? ChunkContents.keys(chunk) : ChunkContents.values(chunk)).sum();
                    for (int t = 0; t < TOKENS; t++) {
                        for (int c = 0; c < WIDTH; c++) {
                            difference[side] += Math.pow(found[t][c] - (double) rows[t][c], 2);
                            norm[side] += (double) rows[t][c] * rows[t][c];
                        }
                    }
                }
            }
        }
        return new double[] {Math.sqrt(difference[0] / norm[0]), Math.sqrt(difference[1] / norm[1])};
    }
}
