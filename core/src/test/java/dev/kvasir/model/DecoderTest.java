package dev.kvasir.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.RotaryTable;
import dev.kvasir.tensor.Workers;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class DecoderTest {
    private static final List<DType> DTYPES = List.of(DType.F32, DType.F16, DType.BF16);
    private static final Workers ONE = Workers.of(1);
    private static final Workers TWO = Workers.of(2);

    @AfterAll
    static void close() {
        ONE.close();
        TWO.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
    void agreesWithTheOracleOnRandomShapes(int seed) {
        Random random = new Random(seed);
        Model model = TestModels.random(randomConfig(random), DTYPES.get(seed % 3), seed);
        int[] tokens = tokens(model, 1 + random.nextInt(40), random);
        float[] logits = all(new Decoder(model, TWO), model, tokens, tokens.length);
        assertClose(
                logits, new ScalarDecoder(model).logits(tokens), model.config().toString());
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "F16", "BF16"})
    void agreesWithTheOracleInEveryStepSize(DType dtype) {
        Model model = TestModels.random(TestModels.config(80, 3, 6, 2, 24), dtype, 42);
        int[] tokens = tokens(model, 45, new Random(1));
        double[][] expected = new ScalarDecoder(model).logits(tokens);
        Decoder decoder = new Decoder(model, TWO);
        for (int step : new int[] {1, 2, 3, 4, 7, 8, 9, 17, 33, 45}) {
            assertClose(all(decoder, model, tokens, step), expected, "steps of " + step);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 5, 40})
    void lastLogitsAreThoseOfTheLastToken(int step) {
        Model model = TestModels.random(TestModels.config(48, 2, 4, 4, 16), DType.BF16, 3);
        int[] tokens = tokens(model, 40, new Random(2));
        double[][] expected = new ScalarDecoder(model).logits(tokens);
        PlainCache cache = new PlainCache(model.config());
        Decoder decoder = new Decoder(model, TWO);
        float[] logits = new float[model.config().vocabularySize()];
        for (int from = 0; from < 40; from += step) {
            decoder.forward(cache, tokens, from, step, logits);
            assertClose(logits, new double[][] {expected[from + step - 1]}, "token " + (from + step - 1));
        }
        assertThat(cache.length()).isEqualTo(40);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 70})
    void logitsAreIdenticalForOneAndTwoThreads(int step) {
        // Large enough that every kind of work is shared.
        Model model = TestModels.random(TestModels.config(272, 2, 4, 2, 64), DType.BF16, 4);
        int[] tokens = tokens(model, 70, new Random(3));
        int fed = step == 1 ? 12 : 70;
        float[] one = all(new Decoder(model, ONE), model, Arrays.copyOf(tokens, fed), step);
        float[] two = all(new Decoder(model, TWO), model, Arrays.copyOf(tokens, fed), step);
        assertThat(two).containsExactly(one);
    }

    @Test
    void rotaryScalingFollowsHuggingFace() {
        for (RopeScaling scaling : List.of(new RopeScaling.Linear(4), new RopeScaling.Llama3(8, 1, 4, 64))) {
            Model model = TestModels.random(withScaling(TestModels.config(64, 2, 2, 1, 32), scaling), DType.F32, 5);
            int[] tokens = tokens(model, 60, new Random(4));
            float[] logits = all(new Decoder(model, ONE), model, tokens, 60);
            assertClose(logits, new ScalarDecoder(model).logits(tokens), scaling.type());
        }
    }

    @Test
    void rotatesFarPositionsPrecisely() {
        ModelConfig config = TestModels.config(32, 1, 1, 1, 16);
        RotaryTable table = new RotaryTable(config.rotaryFrequencies(0));
        table.reach(100_003);
        float[] x = new float[16];
        x[0] = 1;
        float[] out = new float[16];
        table.rotate(100_003, 1, x, 0, out, 0);
        assertThat(out[0]).isEqualTo((float) Math.cos(100_003));
        assertThat(out[8]).isEqualTo((float) Math.sin(100_003));
    }

    @Test
    void statesBeforeRopeStaySoWhenRotatedOnesAreAsked() {
        Model model = TestModels.random(TestModels.config(48, 2, 4, 2, 16), DType.F32, 6);
        int[] tokens = tokens(model, 20, new Random(5));
        float[] logits = new float[20 * model.config().vocabularySize()];
        new Decoder(model, TWO).forwardAll(new PlainCache(model.config(), true), tokens, 0, 20, logits);
        assertClose(logits, new ScalarDecoder(model).logits(tokens), "asking everything");
    }

    @Test
    void bufferOfALargerStepDoesNotLeakIntoASmallerOne() {
        Model model = TestModels.random(TestModels.config(48, 2, 4, 2, 16), DType.F16, 7);
        int[] tokens = tokens(model, 33, new Random(6));
        Decoder used = new Decoder(model, TWO);
        all(used, model, tokens, 33);
        assertThat(all(used, model, tokens, 5)).containsExactly(all(new Decoder(model, TWO), model, tokens, 5));
    }

    @Test
    void refusesWhatItCannotServe() {
        Model model = TestModels.random(TestModels.config(48, 2, 4, 2, 16), DType.F32, 8);
        Decoder decoder = new Decoder(model, ONE);
        float[] logits = new float[97];
        PlainCache cache = new PlainCache(model.config());
        assertThatThrownBy(() -> decoder.forward(cache, new int[] {1, 97}, 0, 2, logits))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("token ids must be 0 to 96, found 97");
        assertThatThrownBy(() -> decoder.forward(cache, new int[] {-1}, 0, 1, logits))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("found -1");
        assertThatThrownBy(() -> decoder.forward(cache, new int[513], 0, 513, logits))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("position 512 is beyond the context length of 512 tokens");
        assertThatThrownBy(() -> decoder.forward(cache, new int[3], 2, 2, logits))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("array of 3");
        assertThatThrownBy(() -> decoder.forward(cache, new int[3], 0, 0, logits))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("at least 1");
        assertThatThrownBy(() -> decoder.forwardAll(cache, new int[2], 0, 2, logits))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("194 floats, found 97");
        PlainCache other = new PlainCache(TestModels.config(48, 2, 4, 4, 16));
        assertThatThrownBy(() -> decoder.forward(other, new int[1], 0, 1, logits))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("kvHeads=2");
        assertThat(cache.length()).isZero();
    }

    @Test
    void theLastPositionOfTheContextIsServed() {
        Model model = TestModels.random(TestModels.config(32, 1, 1, 1, 16), DType.F32, 9);
        Decoder decoder = new Decoder(model, ONE);
        PlainCache cache = new PlainCache(model.config());
        float[] logits = new float[97];
        decoder.forward(cache, new int[511], 0, 511, logits);
        decoder.forward(cache, new int[1], 0, 1, logits);
        assertThatThrownBy(() -> decoder.forward(cache, new int[1], 0, 1, logits))
                .hasMessage("position 512 is beyond the context length of 512 tokens");
    }

    private static ModelConfig randomConfig(Random random) {
        int kvHeads = 1 + random.nextInt(4);
        int heads = kvHeads * (1 + random.nextInt(8 / kvHeads));
        int headDim = new int[] {16, 24, 32, 48, 64, 80, 128}[random.nextInt(7)];
        int hidden = new int[] {30, 48, 80, 96, 123}[random.nextInt(5)];
        return ModelConfig.llama(
                hidden,
                hidden + 1 + random.nextInt(200),
                1 + random.nextInt(3),
                heads,
                kvHeads,
                headDim,
                50 + random.nextInt(100),
                64,
                random.nextBoolean() ? 1e-5f : 1e-6f,
                random.nextBoolean() ? 10_000 : 500_000,
                RopeScaling.none(),
                random.nextBoolean(),
                Optional.empty(),
                List.of());
    }

    private static ModelConfig withScaling(ModelConfig c, RopeScaling scaling) {
        return ModelConfig.llama(
                c.hiddenSize(),
                c.intermediateSize(),
                c.layers(),
                c.heads(),
                c.kvHeads(),
                c.headDim(),
                c.vocabularySize(),
                c.contextLength(),
                c.rmsNormEpsilon(),
                c.rotary(0).theta(),
                scaling,
                c.tiedEmbeddings(),
                c.bosToken(),
                c.eosTokens());
    }

    private static int[] tokens(Model model, int count, Random random) {
        return random.ints(count, 0, model.config().vocabularySize()).toArray();
    }

    private static float[] all(Decoder decoder, Model model, int[] tokens, int step) {
        int vocabulary = model.config().vocabularySize();
        PlainCache cache = new PlainCache(model.config());
        float[] all = new float[tokens.length * vocabulary];
        float[] some = new float[step * vocabulary];
        for (int from = 0; from < tokens.length; from += step) {
            int count = Math.min(step, tokens.length - from);
            decoder.forwardAll(cache, tokens, from, count, some);
            System.arraycopy(some, 0, all, from * vocabulary, count * vocabulary);
        }
        return all;
    }

    /** Every logit within 1e-4 of the largest. */
    private static void assertClose(float[] logits, double[][] expected, String what) {
        double largest = Arrays.stream(expected)
                .flatMapToDouble(Arrays::stream)
                .map(Math::abs)
                .max()
                .orElseThrow();
        double worst = 0;
        for (int t = 0; t < expected.length; t++) {
            for (int i = 0; i < expected[t].length; i++) {
                double error = Math.abs(logits[t * expected[t].length + i] - expected[t][i]);
                worst = Math.max(worst, Double.isNaN(error) ? Double.MAX_VALUE : error);
            }
        }
        assertThat(worst / largest).as(what).isLessThan(1e-4);
    }
}
