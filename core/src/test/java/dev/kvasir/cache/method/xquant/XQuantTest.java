package dev.kvasir.cache.method.xquant;

import static dev.kvasir.cache.method.xquant.XQuantReference.attend;
import static dev.kvasir.cache.method.xquant.XQuantReference.joined;
import static dev.kvasir.cache.method.xquant.XQuantReference.quantized;
import static dev.kvasir.cache.method.xquant.XQuantReference.quantizedByChannel;
import static dev.kvasir.cache.method.xquant.XQuantReference.rotated;
import static dev.kvasir.cache.method.xquant.XQuantReference.rows;
import static dev.kvasir.cache.method.xquant.XQuantReference.squared;
import static dev.kvasir.cache.method.xquant.XQuantReference.times;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrations;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.MadeUpWeights;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.correction.Svd;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.ReadBack;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the paper's cache must do: inputs or latents, made again where they stood, in the bytes it says. */
class XQuantTest {
    /** Every query head has its own KV head. */
    private static final CacheShape EACH = new CacheShape(1, 2, 2, 64, 128);
    /** Four query heads share one. */
    private static final CacheShape GROUPED = new CacheShape(1, 8, 2, 32, 256);

    private static CacheModel model(CacheShape shape) {
        return MadeUpWeights.model(shape, Calibrations.NONE);
    }

    private static SequenceCache create(String spec, CacheShape shape, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), model(shape), pool, Steps.sequential());
    }

    @ParameterizedTest
    @CsvSource({"4,128,1,130", "2,32,1,77", "3,64,40,200", "8,128,300,31"})
    void inputsAreQuantizedByTokenAndMadeKeysAndValuesAgain(int bits, int group, int prompt, int chunk) {
        String spec = "xquant(bits=%d, group=%d)".formatted(bits, group);
        checkAgainstFormulas(spec, EACH, false, bits, group, new int[] {prompt, chunk, 1, 5, 1});
    }

    @ParameterizedTest
    @CsvSource({"4,128,1,130", "2,32,1,77", "3,64,40,200", "8,128,300,31"})
    void latentsAreQuantizedByChannelAndByToken(int bits, int group, int prompt, int chunk) {
        String spec = "xquant(bits=%d, group=%d)".formatted(bits, group);
        checkAgainstFormulas(spec, GROUPED, true, bits, group, new int[] {prompt, chunk, 1, 5, 1});
    }

    private static void checkAgainstFormulas(
            String spec, CacheShape shape, boolean latent, int bits, int group, int[] counts) {
        CacheModel model = model(shape);
        Steps steps = Steps.projected(shape, 3);
        double[][] keyWeights = rows(model.projections().keys(0));
        double[][] valueWeights = rows(model.projections().values(0));
        Latents.Factors keyFactors = Latents.ofKeys(model.projections(), 0);
        Latents.Factors valueFactors = Latents.ofValues(model.projections(), 0);
        try (PagePool pool = Steps.pool();
                KvCache cache = Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential())) {
            for (int count : counts) {
                int first = cache.length();
                double[][] keys;
                double[][] values;
                if (latent) {
                    double[][] inputs = inputs(steps, shape, first);
                    Latents keyBasis = keyFactors.latents();
                    Latents valueBasis = valueFactors.latents();
                    double[][] zk = times(inputs, rows(keyBasis.basis(), keyBasis.width(), shape.hiddenSize()));
                    double[][] zv = times(inputs, rows(valueBasis.basis(), valueBasis.width(), shape.hiddenSize()));
                    keys = times(quantizedByChannel(zk, bits, group), rows(keyFactors.rest()));
                    values = times(
                            quantized(zv, bits, Math.min(group, zv.length == 0 ? group : zv[0].length)),
                            rows(valueFactors.rest()));
                } else {
                    double[][] inputs = quantized(inputs(steps, shape, first), bits, group);
                    keys = times(inputs, keyWeights);
                    values = times(inputs, valueWeights);
                }
                float[] expected = output(steps, shape, model, keys, values, first, count);
                // Rounding may put a latent on the other side of a border of its codes.
                Steps.assertClose(steps.feed(cache, count), expected, latent ? 2e-3 : 1e-5);
            }
        }
    }

    private static double[][] inputs(Steps steps, CacheShape shape, int tokens) {
        return tokens == 0 ? new double[0][0] : rows(steps.states(0, 0, tokens).input(), tokens, shape.hiddenSize());
    }

    /** Outputs of a step over keys before RoPE and values of what is stored, and its own exact ones. */
    private static float[] output(
            Steps steps, CacheShape shape, CacheModel model, double[][] keys, double[][] values, int first, int count) {
        int width = shape.kvHeads() * shape.headDim();
        TokenStates own = steps.states(0, first, count);
        double[][] allKeys = joined(rotated(model, keys, 0), rows(own.keys(), count, width));
        double[][] allValues = joined(values, rows(own.values(), count, width));
        double[][] queries = rows(steps.queries(0, first, count).queries(), count, shape.heads() * shape.headDim());
        return attend(shape, queries, allKeys, allValues, count);
    }

    @ParameterizedTest
    @ValueSource(strings = {"xquant(8, variant=a)", "xquant(8, variant=b)"})
    void nothingIsLostButByQuantization(String spec) {
        for (CacheShape shape : List.of(EACH, GROUPED, new CacheShape(1, 4, 1, 80, 320))) {
            CacheModel model = model(shape);
            Steps steps = Steps.projected(shape, 8);
            // Inputs of two values, 255 apart, which 8 bits hold exactly: what is left is the way there and back.
            float[] inputs = steps.states(0, 0, 90).input();
            for (int i = 0; i < inputs.length; i++) {
                inputs[i] = inputs[i] > 0 ? 128 : -127;
            }
            TokenStates exact = new MadeUpWeights(shape).states(0, 90, inputs, 0);
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = create(spec, shape, pool)) {
                feed(cache, exact, 90);
                // The keys' latents are in F16 still.
                double tolerance = spec.contains("variant=a") ? 1e-6 : 1e-3;
                int width = shape.kvHeads() * shape.headDim();
                double[][] keys = readKeys(cache, shape);
                double[][] wanted = rows(exact.keys(), 90, width);
                double norm = squared(wanted, new double[90][width]);
                assertThat(Math.sqrt(squared(keys, wanted) / norm)).isLessThan(tolerance);
            }
            Latents.Factors factors = Latents.ofKeys(model.projections(), 0);
            double[][] basis = rows(factors.latents().basis(), factors.latents().width(), shape.hiddenSize());
            double[][] x = rows(inputs, 90, shape.hiddenSize());
            double[][] through = times(times(x, basis), rows(factors.rest()));
            double[][] direct = times(x, rows(model.projections().keys(0)));
            assertThat(Math.sqrt(squared(through, direct) / squared(direct, new double[90][direct[0].length])))
                    .isLessThan(1e-6);
        }
    }

    private static void feed(KvCache cache, TokenStates states, int count) {
        CacheShape shape = cache.shape();
        float[] zeros = new float[count * shape.heads() * shape.headDim()];
        cache.reserve(count);
        cache.layer(0).append(states);
        cache.layer(0)
                .attend(
                        new Queries() {
                            @Override
                            public int count() {
                                return count;
                            }

                            @Override
                            public float[] queriesBeforeRope() {
                                return zeros;
                            }

                            @Override
                            public float[] queries() {
                                return zeros;
                            }
                        },
                        zeros.clone());
    }

    private static double[][] readKeys(SequenceCache cache, CacheShape shape) {
        double[][] all = new double[cache.length()][shape.kvHeads() * shape.headDim()];
        for (int h = 0; h < shape.kvHeads(); h++) {
            float[][] keys = ReadBack.keys(cache.store(0).keys(h), shape.headDim());
            for (int t = 0; t < all.length; t++) {
                for (int c = 0; c < shape.headDim(); c++) {
                    all[t][h * shape.headDim() + c] = keys[t][c];
                }
            }
        }
        return all;
    }

    private static double[][] storedInputs(SequenceCache cache) {
        PackedValues stored = ((InputLayer) cache.store(0)).inputs();
        double[][] rows = new double[stored.size()][stored.layout().lanes()];
        for (int t = 0; t < rows.length; t++) {
            for (int c = 0; c < rows[t].length; c++) {
                rows[t][c] = stored.value(t, c);
            }
        }
        return rows;
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 4, 8})
    void noNumberIsOffByMoreThanHalfAStep(int bits) {
        Steps steps = Steps.projected(EACH, 5);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("xquant(bits=%d, group=32)".formatted(bits), EACH, pool)) {
            steps.feed(cache, 150);
            double[][] x = inputs(steps, EACH, 150);
            double[][] stored = storedInputs(cache);
            for (int t = 0; t < x.length; t++) {
                for (int from = 0; from < x[t].length; from += 32) {
                    double[] group = Arrays.copyOfRange(x[t], from, from + 32);
                    double least = Arrays.stream(group).min().orElseThrow();
                    double most = Arrays.stream(group).max().orElseThrow();
                    double step = (most - least) / ((1 << bits) - 1);
                    // Scale and minimum are off by half a unit of their last of 11 bits.
                    double rounding = 0x1p-11 * (most - least + Math.abs(least)) + 1e-6;
                    for (int c = from; c < from + 32; c++) {
                        assertThat(Math.abs(x[t][c] - stored[t][c])).isLessThanOrEqualTo(step / 2 + rounding);
                    }
                }
            }
            double[][] weights = rows(model(EACH).projections().keys(0));
            double largest =
                    Svd.of(flat(weights), weights.length, weights[0].length).s()[0];
            double[][] keys = rows(steps.states(0, 0, 150).keys(), 150, 128);
            assertThat(Math.sqrt(squared(readKeys(cache, EACH), keys)))
                    .isLessThanOrEqualTo(Math.sqrt(squared(x, stored)) * largest * 1.0001);
        }
    }

    private static double[] flat(double[][] rows) {
        return Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "b"})
    void everyBitCutsTheErrorByFour(String variant) {
        CacheShape shape = variant.equals("a") ? EACH : GROUPED;
        Steps steps = Steps.projected(shape, 6);
        double[] errors = new double[9];
        double[] outputErrors = new double[9];
        for (int bits : new int[] {2, 3, 4, 8}) {
            try (PagePool pool = Steps.pool();
                    PagePool other = Steps.pool();
                    SequenceCache cache = create("xquant(bits=%d, variant=%s)".formatted(bits, variant), shape, pool);
                    KvCache exact = Caches.create(CacheSpec.parse("exact"), shape, other, Steps.sequential())) {
                steps.feed(cache, 256);
                steps.feed(exact, 256);
                double[][] keys = rows(steps.states(0, 0, 256).keys(), 256, shape.kvHeads() * shape.headDim());
                errors[bits] = squared(readKeys(cache, shape), keys);
                float[] found = steps.feed(cache, 1);
                float[] wanted = steps.feed(exact, 1);
                for (int i = 0; i < wanted.length; i++) {
                    outputErrors[bits] += Math.pow(found[i] - wanted[i], 2);
                }
            }
        }
        // The steps between b bits' levels are (2^(b+1) - 1) / (2^b - 1) times as wide, 2.33 for two bits: a little
        // more than twice.
        assertThat(errors[2] / errors[3]).isBetween(3.0, 5.6);
        assertThat(errors[3] / errors[4]).isBetween(3.0, 5.0);
        assertThat(Math.pow(errors[4] / errors[8], 0.25)).isBetween(3.0, 5.0);
        assertThat(outputErrors[3]).isLessThan(outputErrors[2]);
        assertThat(outputErrors[4]).isLessThan(outputErrors[3]);
        assertThat(outputErrors[8]).isLessThan(outputErrors[4]);
    }

    @Test
    void basesAreOrthonormalAndMadeOnceForAModel() {
        CacheModel model = model(GROUPED);
        Latents basis = Latents.ofKeys(model.projections(), 0).latents();
        assertThat(Svd.skewness(wide(basis.basis()), basis.width(), 256)).isLessThan(1e-5);
        assertThat(basis.width()).isEqualTo(64);
        try (PagePool pool = Steps.pool();
                KvCache cache = Caches.create(CacheSpec.parse("xquant"), model, pool, Steps.sequential());
                KvCache fork = cache.fork()) {
            assertThat(fork.length()).isZero();
            assertThat(Latents.ofKeys(model.projections(), 0).latents()).isSameAs(basis);
        }
    }

    private static double[] wide(float[] x) {
        double[] wide = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            wide[i] = x[i];
        }
        return wide;
    }

    @Test
    void aTokensCodesDependOnItsInputAlone() {
        Steps steps = Steps.projected(EACH, 9);
        float[] inputs = steps.states(0, 0, 100).input();
        // The same input at positions 5, 37 and 90.
        System.arraycopy(inputs, 5 * 128, inputs, 37 * 128, 128);
        System.arraycopy(inputs, 5 * 128, inputs, 90 * 128, 128);
        CacheModel model = model(EACH);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("xquant", EACH, pool)) {
            feed(cache, new MadeUpWeights(EACH).states(0, 100, inputs, 0), 100);
            double[][] stored = storedInputs(cache);
            assertThat(stored[37]).isEqualTo(stored[5]);
            assertThat(stored[90]).isEqualTo(stored[5]);
            double[][] keys = readKeys(cache, EACH);
            double[][] plain =
                    times(new double[][] {stored[5]}, rows(model.projections().keys(0)));
            for (int position : new int[] {5, 37, 90}) {
                double[][] turned = rotated(model, plain, position);
                assertThat(Math.sqrt(squared(turned, new double[][] {keys[position]})))
                        .isLessThan(1e-4);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"xquant(3)", "xquant(variant=b, group=32)", "xquant(2, variant=b, k_axis=token, v_axis=channel)"
            })
    void codesDoNotDependOnHowTheTokensCame(String spec) throws IOException {
        for (CacheShape shape : List.of(EACH, GROUPED)) {
            int[] ones = new int[384];
            Arrays.fill(ones, 1);
            // Whole groups: a tail's page has room, where a file holds whatever was there before.
            Fed oneShot = fed(spec, shape, 384);
            assertThat(fed(spec, shape, 100, 1, 1, 98, 37, 147).bytes).isEqualTo(oneShot.bytes);
            assertThat(fed(spec, shape, ones).bytes).isEqualTo(oneShot.bytes);
            float[] next = fed(spec, shape, 300).next;
            assertThat(fed(spec, shape, 100, 1, 1, 98, 37, 63).next).isEqualTo(next);
            assertThat(fed(spec, shape, Arrays.copyOf(ones, 300)).next).isEqualTo(next);
        }
    }

    /** What a cache holds, and what it says next. */
    private record Fed(byte[] bytes, float[] next) {}

    private static Fed fed(String spec, CacheShape shape, int... chunks) throws IOException {
        Steps steps = Steps.projected(shape, 12);
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, shape, pool)) {
            for (int chunk : chunks) {
                steps.feed(cache, chunk);
            }
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            cache.save(out, "m");
            return new Fed(out.toByteArray(), steps.feed(cache, 1));
        }
    }

    @Test
    void aNewTokenSeesItselfExactAndAPromptIfAskedAsStored() {
        Steps steps = Steps.projected(EACH, 13);
        CacheModel model = model(EACH);
        try (PagePool pool = Steps.pool();
                KvCache plain = create("xquant(2)", EACH, pool);
                KvCache quantizing = create("xquant(2, quantizedPrefill=true)", EACH, pool)) {
            double[][] stored = quantized(inputs(steps, EACH, 40), 2, 128);
            double[][] keys =
                    rotated(model, times(stored, rows(model.projections().keys(0))), 0);
            double[][] values = times(stored, rows(model.projections().values(0)));
            double[][] queries = rows(steps.queries(0, 0, 40).queries(), 40, 128);
            float[] exact = output(steps, EACH, model, new double[0][0], new double[0][0], 0, 40);
            Steps.assertClose(steps.feed(plain, 40), exact, 1e-5);
            Steps.assertClose(steps.feed(quantizing, 40), attend(EACH, queries, keys, values, 40), 1e-5);
            // Alone, it is exact for both.
            assertThat(steps.feed(quantizing, 1)).isEqualTo(steps.feed(plain, 1));
        }
    }

    @Test
    void takesTheBytesThatThePaperPublishes() {
        CacheShape each = new CacheShape(1, 32, 32, 128, 4096);
        CacheShape grouped = new CacheShape(1, 32, 8, 128, 4096);
        assertThat(estimate("xquant", each, 4096).total()).isEqualTo(17L << 19);
        assertThat(estimate("xquant", grouped, 4096).total()).isEqualTo(17L << 18);
        assertThat(estimate("xquant", each, 4096).bitsPerElement(each, 4096)).isEqualTo(2.125);
        assertThat(estimate("xquant", grouped, 4096).bitsPerElement(grouped, 4096))
                .isEqualTo(4.25);
        // As many codes and scales as keys and values of as many bits take, and 127 tokens of a kind in F16.
        Footprint tail = estimate("xquant", grouped, 4096 + 127);
        assertThat(tail.windows()).isEqualTo(128L * 1024 * 2);
        assertThat(estimate("xquant(3)", grouped, 4096).bitsPerElement(grouped, 4096))
                .isEqualTo(3.25);
    }

    @ParameterizedTest
    @ValueSource(strings = {"xquant", "xquant(variant=b)", "xquant-cl", "xquant-cl(base_layers=2, variant=d)"})
    void factorsOfTheWeightsAreCountedBesideTheCache(String spec) {
        CacheShape shape = new CacheShape(4, 4, 2, 32, 128);
        CacheModel model = model(shape);
        try (PagePool pool = Steps.pool();
                KvCache cache = Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential())) {
            assertThat(cache.length()).isZero();
            long held = 0;
            for (int layer = 0; layer < 4; layer++) {
                for (String name : List.of("keys ", "values ", "both ")) {
                    held += heldBytes(
                            model.projections().derivations().get("xquant " + name + layer, Object.class, () -> 0));
                }
            }
            assertThat(held).isPositive();
            assertThat(Caches.weightBytes(CacheSpec.parse(spec), shape)).isEqualTo(held);
            assertThat(pool.usedBytes()).isZero();
        }
        assertThat(Caches.weightBytes(CacheSpec.parse("xquant(variant=a)"), shape))
                .isZero();
    }

    private static long heldBytes(Object made) {
        return switch (made) {
            case Latents latents -> 4L * latents.basis().length;
            case Latents.Factors factors ->
                heldBytes(factors.latents()) + factors.rest().data().byteSize();
            default -> 0;
        };
    }

    private static Footprint estimate(String spec, CacheShape shape, int tokens) {
        return Caches.estimate(CacheSpec.parse(spec), shape, tokens);
    }

    @Test
    void rollsBackFreelyButForWhatSharesScalesOfChannels() {
        Steps steps = Steps.projected(GROUPED, 14);
        try (PagePool pool = Steps.pool();
                KvCache inputs = create("xquant(variant=a)", GROUPED, pool);
                KvCache latents = create("xquant(group=32)", GROUPED, pool);
                KvCache byToken = create("xquant(k_axis=token)", GROUPED, pool)) {
            for (KvCache cache : List.of(inputs, latents, byToken)) {
                steps.feed(cache, 100);
            }
            assertThat(inputs.rollbackLimit()).isEqualTo(100);
            assertThat(byToken.rollbackLimit()).isEqualTo(100);
            assertThat(latents.rollbackLimit()).isEqualTo(4);
        }
    }

    @Test
    void groupsAreTheLargestThatDivideAToken() {
        assertThat(XQuantPlan.group(4096, 128)).isEqualTo(128);
        assertThat(XQuantPlan.group(320, 128)).isEqualTo(80);
        assertThat(XQuantPlan.group(96, 128)).isEqualTo(96);
        assertThat(XQuantPlan.group(16, 32)).isEqualTo(16);
    }

    @Test
    void saysWhatItCannotServe() {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> create("xquant", new CacheShape(1, 2, 2, 64, 72), pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContainingAll("72 inputs", "multiples of 16");
            CacheSpec spec = CacheSpec.parse("xquant");
            assertThatThrownBy(() -> Caches.create(spec, EACH, pool, Steps.sequential()))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("weights");
            assertThatThrownBy(() -> Caches.layers("minicache", spec, model(EACH)))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContainingAll("minicache cannot store in xquant", "input");
        }
    }
}
