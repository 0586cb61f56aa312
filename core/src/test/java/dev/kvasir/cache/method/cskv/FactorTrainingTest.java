package dev.kvasir.cache.method.cskv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.correction.Svd;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Scratch;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Gradients, steps and the quantizer inside, on one made-up projection. */
class FactorTrainingTest {
    private static final Kernels KERNELS = Kernels.best();
    private static final int INPUTS = 48;
    private static final int OUTPUTS = 32;
    private static final int RANK = 6;
    private static final int TOKENS = 1024;
    private static final LatentQuantizer BY_CHANNEL = new LatentQuantizer(4, true, 32, 3);
    private static final LatentQuantizer BY_TOKEN = new LatentQuantizer(4, false, 32, 3);

    private final MadeUpLayer layer = MadeUpLayer.of(INPUTS, OUTPUTS, TOKENS, 5, 6);
    private final MadeUpLayer heldOut = MadeUpLayer.of(INPUTS, OUTPUTS, TOKENS, 5, 7);

    private Factors asvd() {
        return FactorStart.svd(layer.w(), INPUTS, OUTPUTS, RANK, layer.scales(0.5));
    }

    private static Factors perturbed(Factors factors, double by) {
        Factors moved = factors.copy();
        Random random = new Random(9);
        for (int i = 0; i < moved.a().length; i++) {
            moved.a()[i] += (float) (by * random.nextGaussian());
        }
        for (int i = 0; i < moved.b().length; i++) {
            moved.b()[i] += (float) (by * random.nextGaussian());
        }
        return moved;
    }

    private static FactorTraining training(Factors factors, Optional<LatentQuantizer> quantizer) {
        return new FactorTraining(KERNELS, factors, quantizer);
    }

    @Test
    void gradientsMatchFiniteDifferences() {
        int count = 40;
        Factors factors = perturbed(asvd(), 0.1);
        FactorTraining training = training(factors, Optional.empty());
        training.gradients(layer.x(), layer.target(), 0, count);
        assertMatches(factors.a(), training.gradientA(), factors, count);
        assertMatches(factors.b(), training.gradientB(), factors, count);
    }

    private void assertMatches(float[] parameters, float[] gradient, Factors factors, int count) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < parameters.length; i++) {
            float kept = parameters[i];
            parameters[i] = kept + 0x1p-8f;
            double above = layer.error(layer.latents(factors, count), factors, count);
            double up = parameters[i];
            parameters[i] = kept - 0x1p-8f;
            double below = layer.error(layer.latents(factors, count), factors, count);
            double expected = (above - below) / (up - parameters[i]);
            parameters[i] = kept;
            difference += Math.pow(gradient[i] - expected, 2);
            norm += expected * expected;
        }
        assertThat(Math.sqrt(difference / norm)).isLessThan(1e-3);
    }

    @Test
    void theStartHasNoGradientByItsFirstFactor() {
        FactorTraining training = training(asvd(), Optional.empty());
        training.gradients(layer.x(), layer.target(), 0, 64);
        assertThat(norm(training.gradientA())).isLessThan(1e-4 * norm(training.gradientB()));
    }

    private static double norm(float[] numbers) {
        double sum = 0;
        for (float number : numbers) {
            sum += number * (double) number;
        }
        return Math.sqrt(sum);
    }

    /** With what rounding moves each number by, in steps, held fixed: {@code Q(x) = x + r (max - min) / 15}, or the top where clipped. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void gradientsPassTheQuantizerAsIfRoundingWereFixed(boolean byChannel) {
        int count = 64;
        LatentQuantizer quantizer = byChannel ? BY_CHANNEL : BY_TOKEN;
        Factors factors = perturbed(asvd(), 0.1);
        FactorTraining training = training(factors, Optional.of(quantizer));
        training.gradients(layer.x(), layer.target(), 0, count);
        double[] plain = layer.latents(factors, count);
        float[] rounded = new float[plain.length];
        float[] roundings = new float[plain.length];
        for (int i = 0; i < plain.length; i++) {
            rounded[i] = (float) plain[i];
        }
        quantizer.round(rounded, count, RANK, roundings);
        double[] expected = new double[INPUTS * RANK];
        double step = 1e-4;
        for (int i = 0; i < expected.length; i++) {
            double above = surrogate(moved(plain, i, step, count), roundings, byChannel, factors, count);
            double below = surrogate(moved(plain, i, -step, count), roundings, byChannel, factors, count);
            expected[i] = (above - below) / (2 * step);
        }
        assertThat(distance(training.gradientA(), expected)).isLessThan(5e-3);
    }

    /** Latents with one number of {@code A} moved. */
    private double[] moved(double[] latents, int parameter, double by, int count) {
        double[] moved = latents.clone();
        for (int t = 0; t < count; t++) {
            moved[t * RANK + parameter % RANK] += layer.x()[t * INPUTS + parameter / RANK] * by;
        }
        return moved;
    }

    private double surrogate(double[] latents, float[] roundings, boolean byChannel, Factors factors, int count) {
        double[] out = new double[latents.length];
        for (int t = 0; t < count; t++) {
            for (int k = 0; k < RANK; k++) {
                double low = Double.POSITIVE_INFINITY;
                double high = Double.NEGATIVE_INFINITY;
                for (int i = 0; i < (byChannel ? 32 : 3); i++) {
                    int at = byChannel ? (t / 32 * 32 + i) * RANK + k : t * RANK + k / 3 * 3 + i;
                    low = Math.min(low, latents[at]);
                    high = Math.max(high, latents[at]);
                }
                int at = t * RANK + k;
                out[at] = Float.isInfinite(roundings[at]) ? high : latents[at] + roundings[at] * (high - low) / 15;
            }
        }
        return layer.error(out, factors, count);
    }

    private static double distance(float[] found, double[] expected) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < found.length; i++) {
            difference += Math.pow(found[i] - expected[i], 2);
            norm += expected[i] * expected[i];
        }
        return Math.sqrt(difference / norm);
    }

    @Test
    void whatIsClippedHasNoGradientOfItsOwn() {
        // A step of 1/15 is rounded down as F16: the top of the range lies below the largest numbers.
        float[] latents = new float[32];
        latents[30] = 0.99999f;
        latents[31] = 1;
        latents[1] = 0.5f;
        float[] roundings = new float[32];
        LatentQuantizer quantizer = new LatentQuantizer(4, true, 32, 1);
        quantizer.round(latents, 32, 1, roundings);
        float top = 15 * Float.float16ToFloat(Float.floatToFloat16(1 / 15f));
        assertThat(top).isLessThan(1);
        assertThat(latents[31]).isEqualTo(top);
        assertThat(roundings[31]).isInfinite();
        float[] gradients = new float[32];
        gradients[1] = 1;
        quantizer.passBack(gradients, roundings, latents, 32, 1);
        assertThat(gradients[1]).isEqualTo(1);
        // 0.5 lies between codes 7 and 8; what it is rounded by shrinks with the range, which the ends decide.
        assertThat(Math.abs(roundings[1])).isCloseTo(0.5f, within(0.01f));
        assertThat(gradients[0] + gradients[30] + gradients[31]).isCloseTo(0, within(1e-6f));
        float[] clipped = new float[32];
        clipped[31] = 1;
        quantizer.passBack(clipped, roundings, latents, 32, 1);
        assertThat(clipped[1]).isZero();
        assertThat(clipped[30] + clipped[31]).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void trainingRoundsAsTheCacheStores(boolean byChannel) {
        Random random = new Random(2);
        for (int block : new int[] {32, 64}) {
            for (int group : new int[] {3, 12, 25}) {
                int rank = 2 * group;
                int count = 3 * block;
                float[] latents = MadeUpLayer.gaussian(random, count * rank, 3);
                CskvPlan.Side side = new CskvPlan.Side(rank, 4, byChannel, group, 4);
                float[] stored = new float[count * rank];
                try (PagePool pool = Steps.pool();
                        PagePool.Claim claim = pool.claim(1 << 20)) {
                    Factors identity = new Factors(rank, rank, rank, unit(rank), unit(rank));
                    Latents store = new Latents(
                            KERNELS, identity, side.store(pool, KERNELS, dev.kvasir.cache.kernel.Element.F16, block));
                    store.store().reserve(count, claim);
                    Scratch scratch = new Scratch();
                    store.append(latents, count, scratch);
                    float[] panel = new float[rank * 32];
                    for (int t = 0; t < count; t++) {
                        store.panel(t / 32 * 32, panel, scratch);
                        for (int c = 0; c < rank; c++) {
                            stored[t * rank + c] = panel[c * 32 + t % 32];
                        }
                    }
                    store.store().release();
                }
                new LatentQuantizer(4, byChannel, block, group).round(latents, count, rank, new float[count * rank]);
                assertThat(stored).isEqualTo(latents);
            }
        }
    }

    private static float[] unit(int size) {
        float[] unit = new float[size * size];
        for (int i = 0; i < size; i++) {
            unit[i * size + i] = 1;
        }
        return unit;
    }

    private Factors trained(Factors start, Optional<LatentQuantizer> quantizer, int epochs) {
        FactorTraining training = training(start.copy(), quantizer);
        int batch = 64;
        int steps = epochs * TOKENS / batch;
        for (int step = 0; step < steps; step++) {
            int first = step * batch % TOKENS;
            training.step(layer.x(), layer.target(), first, batch, 0.004 * (1 - (double) step / steps));
        }
        return training.factors();
    }

    private static double error(MadeUpLayer data, Factors factors, Optional<LatentQuantizer> quantizer) {
        return training(factors, quantizer).squaredError(data.x(), data.target(), 0, TOKENS) / (TOKENS * OUTPUTS);
    }

    @Test
    void trainingComesCloseToTheBound() {
        double bound = FactorStart.bound(Svd.of(layer.moments(), OUTPUTS, OUTPUTS), RANK, TOKENS);
        Factors start = asvd();
        Factors trained = trained(start, Optional.empty(), 30);
        assertThat(error(layer, trained, Optional.empty())).isBetween(bound * (1 - 1e-4), 1.1 * bound);
        assertThat(error(heldOut, trained, Optional.empty())).isLessThan(0.8 * error(heldOut, start, Optional.empty()));
    }

    @Test
    void randomFactorsLearnFarLess() {
        Random random = new Random(1);
        Factors start = new Factors(
                INPUTS,
                RANK,
                OUTPUTS,
                MadeUpLayer.gaussian(random, INPUTS * RANK, 1),
                MadeUpLayer.gaussian(random, RANK * OUTPUTS, 1));
        double fromRandom = error(layer, trained(start, Optional.empty(), 30), Optional.empty());
        double fromAsvd = error(layer, trained(asvd(), Optional.empty(), 30), Optional.empty());
        assertThat(fromRandom).isGreaterThan(5 * fromAsvd);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void trainingThroughTheQuantizerBeatsQuantizingAfterwards(boolean byChannel) {
        Optional<LatentQuantizer> quantizer = Optional.of(byChannel ? BY_CHANNEL : BY_TOKEN);
        double after = error(layer, trained(asvd(), Optional.empty(), 30), quantizer);
        double through = error(layer, trained(asvd(), quantizer, 30), quantizer);
        assertThat(through).isLessThan(after);
    }

    @Test
    void keysLoseLessByChannelThanByToken() {
        MadeUpLayer wide = MadeUpLayer.of(96, 64, 320, 5, 6).withMeans(8);
        Factors factors = FactorStart.svd(wide.w(), 96, 64, 32, wide.scales(0.5));
        // As many numbers share a scale either way.
        double byChannel = squaredError(wide, factors, new LatentQuantizer(4, true, 32, 32));
        double byToken = squaredError(wide, factors, new LatentQuantizer(4, false, 32, 32));
        assertThat(byChannel).isLessThan(0.8 * byToken);
    }

    @Test
    void moreBitsLoseLess() {
        MadeUpLayer wide = MadeUpLayer.of(96, 64, 320, 5, 6);
        Factors factors = FactorStart.svd(wide.w(), 96, 64, 32, wide.scales(0.5));
        for (boolean byChannel : new boolean[] {true, false}) {
            double four = squaredError(wide, factors, new LatentQuantizer(4, byChannel, 32, 32));
            double eight = squaredError(wide, factors, new LatentQuantizer(8, byChannel, 32, 32));
            assertThat(eight).isLessThan(four);
        }
    }

    private static double squaredError(MadeUpLayer data, Factors factors, LatentQuantizer quantizer) {
        return training(factors, Optional.of(quantizer)).squaredError(data.x(), data.target(), 0, data.tokens());
    }
}
