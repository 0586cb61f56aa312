package dev.kvasir.cache.method.kvquant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrated;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibration.CalibrationException;
import dev.kvasir.cache.Calibrations;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.LayerStore;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.store.CountedOutliers;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.tensor.RotaryTable;
import dev.kvasir.tensor.Workers;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the paper's cache must do: exact tokens, codes, outliers, positions, bytes. */
class KvQuantTest {
    private static final CacheShape SHAPE = new CacheShape(2, 4, 2, 64, 64);
    private static final int WIDTH = 128;
    private static final Calibration CALIBRATION = Calibrated.calibration(SHAPE, CacheSpec.parse("kvquant"));

    private final Steps steps = new Steps(SHAPE, 21);
    private final Random random = new Random(4);

    private static SequenceCache create(String spec, CacheShape shape, Calibration calibration, PagePool pool) {
        CacheModel model = Calibrated.with(shape, OneStep.calibrations(calibration));
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential());
    }

    private static SequenceCache create(String spec, PagePool pool) {
        return create(spec, SHAPE, CALIBRATION, pool);
    }

    private static KvQuantLayer layer(SequenceCache cache, int layer) {
        return (KvQuantLayer) cache.store(layer);
    }

    /** What a head's readers give for every slot: keys by unit queries, values by weights of one. */
    private static float[][] read(LayerStore store, int kvHead, int headDim, boolean keys) {
        int size = store.size();
        float[][] rows = new float[size][headDim];
        Scratch scratch = new Scratch();
        for (int c = 0; c < headDim && keys; c++) {
            float[] query = new float[headDim];
            query[c] = 1;
            float[] out = new float[size + 32];
            store.keys(kvHead).scores(query, 0, 1, 0, size, out, 0, out.length, scratch);
            for (int t = 0; t < size; t++) {
                rows[t][c] = out[t];
            }
        }
        for (int t = 0; t < size && !keys; t++) {
            float[] weights = new float[size];
            weights[t] = 1;
            store.values(kvHead).addWeighted(weights, 0, size, 1, 0, size, rows[t], 0, scratch);
        }
        return rows;
    }

    @ParameterizedTest
    @ValueSource(strings = {"f16", "f32"})
    void whileAllTokensAreExactNothingChanges(String dtype) {
        try (PagePool pool = Steps.pool();
                KvCache cache = create("kvquant(sinks=16, dtype=" + dtype + ")", pool);
                KvCache exact =
                        Caches.create(CacheSpec.parse("exact(" + dtype + ")"), SHAPE, pool, Steps.sequential())) {
            for (int count : new int[] {5, 1, 1, 3, 1, 1, 4}) {
                assertThat(steps.feed(cache, count)).isEqualTo(steps.feed(exact, count));
            }
        }
    }

    @Test
    void firstTokensStayExactAtEveryStep() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("kvquant(sinks=3)", pool)) {
            for (int count : new int[] {2, 1, 1, 40, 1, 200, 1}) {
                steps.feed(cache, count);
                TokenStates states = steps.states(1, 0, 3);
                for (int h = 0; h < 2; h++) {
                    float[][] keys = read(cache.store(1), h, 64, true);
                    float[][] values = read(cache.store(1), h, 64, false);
                    for (int t = 0; t < Math.min(3, cache.length()); t++) {
                        for (int c = 0; c < 64; c++) {
                            int at = t * WIDTH + h * 64 + c;
                            assertThat(keys[t][c]).isEqualTo(Element.F16.round(states.keys()[at]));
                            assertThat(values[t][c]).isEqualTo(Element.F16.round(states.values()[at]));
                        }
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "2, 1, 4, 2, 64",
        "3, 1, 2, 2, 80",
        "4, 0, 8, 1, 96",
        "3, 5, 4, 1, 128",
        "2, 0, 2, 1, 256",
        "3, 1, 8, 8, 64"
    })
    void equalsAPlainReferenceInPromptsAndSteps(int bits, int sinks, int heads, int kvHeads, int headDim) {
        CacheShape shape = new CacheShape(1, heads, kvHeads, headDim, 16);
        Calibration calibration = Calibrated.calibration(shape, CacheSpec.parse("kvquant"));
        Reference reference = new Reference(shape, calibration, bits, sinks);
        Steps own = new Steps(shape, random.nextLong());
        String spec = "kvquant(bits=" + bits + ", sinks=" + sinks + ")";
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, shape, calibration, pool)) {
            for (int count : new int[] {3, 1, 1 + random.nextInt(150), 1, 1, 17, 1}) {
                int first = cache.length();
                float[] found = own.feed(cache, count);
                Steps.assertClose(found, reference.outputs(own, first, count, 0), 2e-5);
            }
            int first = cache.length();
            float[] found = own.feed(cache, 1);
            float[] shifted = reference.outputs(own, first, 1, 1);
            assertThat(difference(found, shifted)).as("positions off by one").isGreaterThan(1e-2);
        }
    }

    private static double difference(float[] a, float[] b) {
        double sum = 0;
        double norm = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (a[i] - b[i]) * (double) (a[i] - b[i]);
            norm += b[i] * (double) b[i];
        }
        return Math.sqrt(sum / norm);
    }

    /** Ranges of no width: every key is an outlier, and its delta the key itself. */
    private static Calibration withoutRanges(Calibration calibration, CacheShape shape) {
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>(calibration.tensors());
        int width = shape.kvHeads() * shape.headDim();
        for (String rope : new String[] {"pre", "post"}) {
            tensors.put(
                    "k." + rope + ".channel.vector.range",
                    Calibration.Tensor.of(new float[shape.layers() * 2 * width], shape.layers(), 2, width));
        }
        Map<String, String> options = Map.of("outliers", "1.0");
        return new Calibration(calibration.method(), options, calibration.fingerprint(), tensors);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ", cap=0", ", k_axis=token, k_rope=post", ", datatype=nf", ", bits=2, qnorm=true"})
    void ifEveryNumberIsAnOutlierOnlyItsRoundingToF16IsLost(String options) {
        Calibration all = withoutRanges(CALIBRATION, SHAPE);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(
                        "kvquant(k_rope=post, outliers=1, sinks=0" + options.replace(", k_rope=post", "") + ")",
                        SHAPE,
                        all,
                        pool)) {
            steps.feed(cache, 100);
            TokenStates states = steps.states(0, 0, 100);
            for (int h = 0; h < 2; h++) {
                float[][] keys = read(cache.store(0), h, 64, true);
                float[][] values = read(cache.store(0), h, 64, false);
                for (int t = 0; t < 100; t++) {
                    for (int c = 0; c < 64; c++) {
                        int at = t * WIDTH + h * 64 + c;
                        assertRounded(keys[t][c], states.keys()[at]);
                        assertRounded(values[t][c], states.values()[at]);
                    }
                }
            }
        }
    }

    private static void assertRounded(float found, float expected) {
        assertThat(found).isCloseTo(expected, within(Math.abs(expected) * 0x1p-11f + 1e-6f));
    }

    @Test
    void withoutOutliersTheSparsePartTakesNothing() {
        try (PagePool pool = Steps.pool();
                SequenceCache dense = create("kvquant(outliers=0)", pool);
                SequenceCache sparse = create("kvquant", pool)) {
            steps.feed(dense, 300);
            steps.feed(sparse, 300);
            assertThat(dense.footprint().indices()).isZero();
            assertThat(sparse.footprint().indices()).isEqualTo(2 * 2 * 3 * 128 * 2 * 4);
            assertThat(dense.footprint().codes()).isEqualTo(sparse.footprint().codes());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 4})
    void inliersAreWithinHalfAGapAndOutliersWithinTheirRounding(int bits) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache =
                        create("kvquant(k_rope=post, cap=0, sinks=0, qnorm=false, bits=" + bits + ")", pool)) {
            steps.feed(cache, 260);
            float[] range = CALIBRATION.data("k.post.channel.vector.range", 2, 2, WIDTH);
            double keyGap = widestGap("k.post.channel.vector", bits);
            double valueGap = widestGap("v.token.vector", bits);
            TokenStates states = steps.states(0, 0, 260);
            int outliers = 0;
            for (int h = 0; h < 2; h++) {
                float[][] keys = read(cache.store(0), h, 64, true);
                float[][] values = read(cache.store(0), h, 64, false);
                for (int t = 0; t < 260; t++) {
                    float[] row = Arrays.copyOfRange(states.values(), t * WIDTH, (t + 1) * WIDTH);
                    Arrays.sort(row);
                    double valueRange = (row[WIDTH - 2] - row[1]) / 2;
                    for (int c = 0; c < 64; c++) {
                        int channel = h * 64 + c;
                        float key = states.keys()[t * WIDTH + channel];
                        float low = range[channel];
                        float high = range[WIDTH + channel];
                        boolean outlier = key < low || key > high;
                        outliers += outlier ? 1 : 0;
                        double bound = outlier ? Math.abs(key) * 0x1p-10 : keyGap * (high - low) / 2 + 1e-5;
                        assertThat((double) keys[t][c]).isCloseTo(key, within(bound));
                        float value = states.values()[t * WIDTH + channel];
                        assertThat((double) values[t][c]).isCloseTo(value, within(valueGap * valueRange + 4e-3));
                    }
                }
            }
            int stored = ((CountedOutliers) layer(cache, 0).keySide().outliers()).count();
            assertThat(stored).isEqualTo(outliers);
        }
    }

    /** Half the widest gap between levels, or what is beyond the outermost one. */
    private static double widestGap(String side, int bits) {
        Integer count = 1 << bits;
        float[] levels = CALIBRATION.data(side + ".fisher.nuq" + bits, 2, 2, count);
        double widest = Math.max(1 + levels[0], 1 - levels[count - 1]);
        for (int i = 1; i < count; i++) {
            widest = Math.max(widest, (levels[i] - levels[i - 1]) / 2.0);
        }
        return widest;
    }

    @Test
    void clampedOverflowIsCountedAndSaid() {
        try (PagePool pool = Steps.pool();
                SequenceCache capped = create("kvquant(k_rope=post)", pool);
                SequenceCache free = create("kvquant(k_rope=post, cap=0)", pool)) {
            steps.feed(capped, 500);
            steps.feed(free, 500);
            float[] range = CALIBRATION.data("k.post.channel.vector.range", 2, 2, WIDTH);
            float[] keys = steps.states(0, 0, 500).keys();
            int above = 0;
            for (int t = 0; t < 500; t++) {
                int high = 0;
                int low = 0;
                for (int c = 0; c < WIDTH; c++) {
                    high += keys[t * WIDTH + c] > range[WIDTH + c] ? 1 : 0;
                    low += keys[t * WIDTH + c] < range[c] ? 1 : 0;
                }
                above += Math.max(0, high - 1) + Math.max(0, low - 1);
            }
            assertThat(layer(capped, 0).keySide().clamped()).isEqualTo(above).isPositive();
            assertThat(layer(free, 0).keySide().clamped()).isZero();
            assertThat(capped.remarks())
                    .first(InstanceOfAssertFactories.STRING)
                    .startsWith(String.format(Locale.ROOT, "layer 0: %,d key outliers", above));
            assertThat(free.remarks()).isEmpty();
        }
    }

    /** Keys that F16 holds, ranges of no width: nothing is lost, and only RoPE on read remains to be tested. */
    @ParameterizedTest
    @CsvSource({"1, 2, 64", "4, 1, 128", "6, 2, 80"})
    void rotatesOnReadAsTheModelRotatesBeforeIt(int group, int kvHeads, int headDim) {
        CacheShape shape = new CacheShape(1, group * kvHeads, kvHeads, headDim, 8);
        Calibration all = withoutRanges(Calibrated.calibration(shape, CacheSpec.parse("kvquant")), shape);
        int width = kvHeads * headDim;
        int tokens = 4000;
        float[] before = new float[tokens * width];
        for (int i = 0; i < before.length; i++) {
            before[i] = Element.F16.round((float) random.nextGaussian());
        }
        RotaryTable table = RotaryTable.of(headDim, 10_000);
        table.reach(tokens);
        float[] after = new float[before.length];
        for (int t = 0; t < tokens; t++) {
            table.rotate(t, kvHeads, before, t * width, after, t * width);
        }
        float[] queries = new float[group * headDim];
        for (int i = 0; i < queries.length; i++) {
            queries[i] = (float) random.nextGaussian();
        }
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("kvquant(outliers=1, sinks=0)", shape, all, pool)) {
            LayerStore store = cache.store(0);
            store(store, OneStep.states(0, tokens, before, after, after), pool);
            Scratch scratch = new Scratch();
            float[] out = new float[group * (tokens + 32)];
            for (int h = 0; h < kvHeads; h++) {
                store.keys(h).scores(queries, 0, group, 0, tokens, out, 0, tokens + 32, scratch);
                for (int g = 0; g < group; g++) {
                    for (int t = 0; t < tokens; t++) {
                        double expected = 0;
                        for (int c = 0; c < headDim; c++) {
                            expected += queries[g * headDim + c] * (double) after[t * width + h * headDim + c];
                        }
                        assertThat((double) out[g * (tokens + 32) + t]).isCloseTo(expected, within(1e-5 * headDim));
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "bits=2", "cap=0", "k_axis=token", "k_rope=post, k_axis=token, bits=4", "threshold=global"})
    void aPromptGivesTheBytesOfItsTokensOneByOne(String options) throws IOException {
        String spec = "kvquant(" + options + ")";
        for (int n : new int[] {1, 31, 128, 300}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache prompt = create(spec, pool);
                    SequenceCache single = create(spec, pool);
                    SequenceCache mixed = create(spec, pool)) {
                steps.feed(prompt, n);
                while (single.length() < n) {
                    steps.feed(single, 1);
                }
                while (mixed.length() < n) {
                    steps.feed(mixed, Math.min(n - mixed.length(), 1 + random.nextInt(90)));
                }
                assertThat(saved(single)).isEqualTo(saved(prompt));
                assertThat(saved(mixed)).isEqualTo(saved(prompt));
            }
        }
    }

    private static byte[] saved(KvCache cache) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        cache.save(out, Calibrated.FINGERPRINT);
        return out.toByteArray();
    }

    @Test
    void aDecodedTokenReadsItselfBackAndAPromptDoesOnlyIfAsked() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("kvquant(bits=2, outliers=0, sinks=0)", pool);
                SequenceCache simulated = create("kvquant(bits=2, outliers=0, sinks=0, prefill=quantized)", pool);
                KvCache exact = Caches.create(CacheSpec.parse("exact(f32)"), SHAPE, pool, Steps.sequential())) {
            float[] prompt = steps.feed(exact, 40);
            Steps.assertClose(steps.feed(cache, 40), prompt, 1e-6);
            assertThat(difference(steps.feed(simulated, 40), prompt)).isGreaterThan(0.05);
            assertThat(steps.feed(simulated, 1)).isEqualTo(steps.feed(cache, 1));
        }
        try (PagePool pool = Steps.pool();
                SequenceCache alone = create("kvquant(bits=2, outliers=0, sinks=0)", pool);
                KvCache exact = Caches.create(CacheSpec.parse("exact(f32)"), SHAPE, pool, Steps.sequential())) {
            assertThat(difference(steps.feed(alone, 1), steps.feed(exact, 1))).isGreaterThan(0.05);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"kvquant", "kvquant(cap=0, prefill=quantized)"})
    void threadsDoNotMatter(String spec) {
        CacheModel model = Calibrated.with(SHAPE, OneStep.calibrations(CALIBRATION));
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                KvCache one = Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential());
                KvCache other = Caches.create(CacheSpec.parse(spec), model, pool, two)) {
            for (int count : new int[] {700, 2500, 1, 1, 5, 1}) {
                assertThat(steps.feed(other, count)).isEqualTo(steps.feed(one, count));
            }
        }
    }

    @Test
    void allocatesThePapersBytes() {
        CacheShape shape = new CacheShape(1, 8, 8, 128, 64);
        long sink = 2 * 1024 * 2;
        CacheSpec spec = CacheSpec.parse("kvquant");
        assertThat(Caches.estimateBytes(spec, shape, 4096)).isEqualTo(3_555_328 + sink);
        assertThat(Caches.estimateBytes(CacheSpec.parse("kvquant(sinks=0)"), shape, 4096))
                .isEqualTo(3_555_328);
        double bits = Caches.estimate(spec, shape, 4096).bitsPerElement(shape, 4096);
        assertThat(bits).isBetween(3.38, 3.40);
    }

    @Test
    void outliersWithoutSlotsTakeWhatThereIsOfThem() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("kvquant(cap=0)", pool)) {
            steps.feed(cache, 2000);
            assertThat(pool.usedBytes()).isEqualTo(cache.footprint().total());
            long entries = 0;
            for (int layer = 0; layer < 2; layer++) {
                entries += ((CountedOutliers) layer(cache, layer).keySide().outliers()).count();
            }
            assertThat(entries / (2.0 * 2000 * WIDTH)).isBetween(0.01, 0.04);
            long estimate = Caches.estimateBytes(cache.spec(), SHAPE, 2000);
            assertThat((double) cache.footprint().total()).isBetween(0.9 * estimate, 1.15 * estimate);
        }
    }

    /** Channels that are large before RoPE: the reason for everything that KVQuant does to keys. */
    @Test
    void largeChannelsAreKeptBestBeforeRopeThenByChannelThenByToken() {
        CacheShape shape = new CacheShape(1, 2, 1, 128, 8);
        int tokens = 1000;
        float[] before = new float[tokens * 128];
        for (int i = 0; i < before.length; i++) {
            int c = i % 128;
            float middle = c % 21 == 5 ? (c % 2 == 0 ? 1 : -1) * (8 + c / 20f) : 0;
            before[i] = middle + (float) random.nextGaussian();
        }
        double pre = keyError("", shape, before);
        double post = keyError(", k_rope=post", shape, before);
        double token = keyError(", k_rope=post, k_axis=token", shape, before);
        assertThat(pre).isLessThan(0.7 * post);
        assertThat(post).isLessThan(0.9 * token);
        assertThat(pre).isLessThan(keyError(", outliers=0", shape, before));
        assertThat(pre).isLessThan(keyError(", datatype=uniform", shape, before));
    }

    /** The root of the mean square error of a model's keys after RoPE. */
    private double keyError(String options, CacheShape shape, float[] before) {
        int width = shape.headDim();
        int tokens = before.length / width;
        RotaryTable table = RotaryTable.of(width, 10_000);
        table.reach(tokens);
        float[] after = new float[before.length];
        for (int t = 0; t < tokens; t++) {
            table.rotate(t, 1, before, t * width, after, t * width);
        }
        TokenStates states = OneStep.states(0, tokens, before, after, after);
        Calibrator calibrator = Calibrated.calibrator(shape, CacheSpec.parse("kvquant"));
        for (int pass = 0; pass < 2; pass++) {
            calibrator.begin(pass);
            calibrator.see(0, states, OneStep.queries(1, new float[256]), Calibrated.sensitivity(shape, tokens, 1, 1));
        }
        try (PagePool pool = Steps.pool();
                SequenceCache cache =
                        create("kvquant(sinks=0, cap=0" + options + ")", shape, calibrator.finish(), pool)) {
            LayerStore store = cache.store(0);
            store(store, states, pool);
            double sum = 0;
            for (int c = 0; c < width; c++) {
                float[] query = new float[width];
                query[c] = 1;
                float[] out = new float[tokens + 32];
                store.keys(0).scores(query, 0, 1, 0, tokens, out, 0, out.length, new Scratch());
                for (int t = 0; t < tokens; t++) {
                    double off = out[t] - after[t * width + c];
                    sum += off * off;
                }
            }
            return Math.sqrt(sum / before.length);
        }
    }

    private static void store(LayerStore store, TokenStates states, PagePool pool) {
        try (PagePool.Claim claim = pool.claim(store.wantedBytes(states.count()))) {
            store.reserve(states.count(), claim);
        }
        store.begin(states, OneStep.queries(1, new float[0]));
        store.append(0, new Scratch());
        store.append(1, new Scratch());
        store.end();
    }

    @Test
    void wrongOptionsAreRefused() {
        assertRefused("kvquant(sinks=17)", SHAPE, "sinks=17", "0 to 16");
        assertRefused("kvquant(outliers=1.5)", SHAPE, "outliers=1.5", "0 to 1");
        assertRefused("kvquant(datatype=nf, qnorm=true)", SHAPE, "qnorm=true", "datatype=nuq");
        assertRefused("kvquant", new CacheShape(1, 2, 2, 40, 8), "40", "multiple of 16");
    }

    private static void assertRefused(String spec, CacheShape shape, String... parts) {
        assertThatThrownBy(() -> create(spec, shape, CALIBRATION, Steps.pool()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll(parts);
    }

    @Test
    void aCalibrationThatDoesNotFitIsRefused() {
        assertThatThrownBy(() -> create("kvquant(outliers=0.02)", Steps.pool()))
                .isInstanceOf(CalibrationException.class)
                .hasMessageContainingAll("outliers=0.01", "outliers=0.02");
        assertThatThrownBy(() -> Caches.create(
                        CacheSpec.parse("kvquant"),
                        Calibrated.with(SHAPE, Calibrations.NONE),
                        Steps.pool(),
                        Steps.sequential()))
                .isInstanceOf(CalibrationException.class);
        CacheShape wider = new CacheShape(2, 4, 4, 64, 64);
        assertThatThrownBy(() -> create("kvquant", wider, CALIBRATION, Steps.pool()))
                .isInstanceOf(CalibrationException.class)
                .hasMessageContaining("shape");
        assertDamaged("k.pre.channel.vector.range", WIDTH, -1e30f, "ascending pair");
        assertDamaged("v.token.vector.fisher.nuq3", 3, -2f, "ascending");
    }

    private static void assertDamaged(String name, int at, float number, String problem) {
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>(CALIBRATION.tensors());
        Calibration.Tensor tensor =
                java.util.Objects.requireNonNull(CALIBRATION.tensors().get(name));
        float[] data = tensor.data().clone();
        data[at] = number;
        tensors.put(name, new Calibration.Tensor(tensor.shape(), data));
        Calibration damaged = new Calibration("kvquant", CALIBRATION.options(), CALIBRATION.fingerprint(), tensors);
        assertThatThrownBy(() -> create("kvquant", SHAPE, damaged, Steps.pool()))
                .isInstanceOf(CalibrationException.class)
                .hasMessageContainingAll(name, problem);
    }
}
