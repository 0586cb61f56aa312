package dev.kvasir.cache.method.kivi;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.FlushingKeys;
import dev.kvasir.cache.store.KeyStore;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.SlidingValues;
import dev.kvasir.cache.store.StoreContents;
import dev.kvasir.cache.store.TokenStore;
import dev.kvasir.cache.store.ValueStore;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the paper's cache must do: split points, codes, errors, bytes. */
class KiviTest {
    private static final CacheShape SHAPE = new CacheShape(1, 2, 1, 64, 64);
    private final Steps steps = new Steps(SHAPE, 21);
    private final Random random = new Random(4);

    private static SequenceCache create(String spec, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), SHAPE, pool, Steps.sequential());
    }

    private static FlushingKeys keys(SequenceCache cache) {
        return (FlushingKeys) cache.head(0, 0).keys();
    }

    private static SlidingValues values(SequenceCache cache) {
        return (SlidingValues) cache.head(0, 0).values();
    }

    @ParameterizedTest
    @ValueSource(strings = {"f16", "bf16", "f32"})
    void untilTheFirstFlushNothingChanges(String dtype) {
        try (PagePool pool = Steps.pool();
                KvCache kivi = create("kivi(residual=160, dtype=" + dtype + ")", pool);
                KvCache exact = create("exact(" + dtype + ")", pool)) {
            for (int count : new int[] {50, 1, 1, 70, 1, 30, 1, 1}) {
                assertThat(steps.feed(kivi, count)).isEqualTo(steps.feed(exact, count));
            }
        }
    }

    @Test
    void splitPointsHoldAfterEveryStep() {
        int residual = 64;
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("kivi(residual=64)", pool)) {
            while (cache.length() < 500) {
                steps.feed(cache, random.nextInt(4) == 0 ? 1 + random.nextInt(90) : 1);
                int length = cache.length();
                assertThat(keys(cache).packed().size()).isEqualTo(length / residual * residual);
                assertThat(keys(cache).window().size()).isEqualTo(length % residual);
                assertThat(values(cache).window().size()).isEqualTo(Math.min(length, residual));
                assertThat(values(cache).packed().size()).isEqualTo(length - Math.min(length, residual));
            }
        }
    }

    @Test
    void keepsNewestTokensExact() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("kivi(residual=64, dtype=f32)", pool)) {
            steps.feed(cache, 150);
            for (int i = 0; i < 100; i++) {
                steps.feed(cache, 1);
                int length = cache.length();
                float[][] keys = StoreContents.keys(keys(cache), 64);
                float[][] values = StoreContents.values(values(cache), 64);
                for (int t = length - 64; t < length; t++) {
                    assertThat(values[t]).startsWith(row(steps.states(0, t, 1).values()));
                    if (t >= length / 64 * 64) {
                        assertThat(keys[t]).startsWith(row(steps.states(0, t, 1).keys()));
                    }
                }
            }
        }
    }

    private static float[] row(float[] padded) {
        return java.util.Arrays.copyOf(padded, 64);
    }

    @ParameterizedTest
    @CsvSource({"32, 2", "32, 4", "64, 2", "128, 2"})
    void aPromptGivesTheCodesOfItsTokensOneByOne(int residual, int bits) {
        String spec = "kivi(bits=" + bits + ", residual=" + residual + ")";
        for (int n : new int[] {residual - 1, residual, residual + 1, 3 * residual + 5}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache prompt = create(spec, pool);
                    SequenceCache single = create(spec, pool);
                    SequenceCache mixed = create(spec, pool)) {
                steps.feed(prompt, n);
                while (single.length() < n) {
                    steps.feed(single, 1);
                }
                while (mixed.length() < n) {
                    steps.feed(mixed, Math.min(n - mixed.length(), 1 + random.nextInt(2 * residual)));
                }
                for (SequenceCache other : new SequenceCache[] {single, mixed}) {
                    assertThat(StoreContents.codes((PackedKeys) keys(other).packed()))
                            .isDeepEqualTo(StoreContents.codes(
                                    (PackedKeys) keys(prompt).packed()));
                    assertThat(StoreContents.codes(values(other).packed()))
                            .isDeepEqualTo(StoreContents.codes(values(prompt).packed()));
                    // Scales and windows too: what they decode to is equal.
                    assertThat(StoreContents.keys(keys(other), 64)).isDeepEqualTo(StoreContents.keys(keys(prompt), 64));
                    assertThat(StoreContents.values(values(other), 64))
                            .isDeepEqualTo(StoreContents.values(values(prompt), 64));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4, 8})
    void errorIsAtMostHalfAStep(int bits) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("kivi(residual=32, bits=" + bits + ")", pool)) {
            steps.feed(cache, 256);
            PackedKeys keys = (PackedKeys) keys(cache).packed();
            PackedValues values = values(cache).packed();
            float[][] k = StoreContents.keys(keys, 64);
            float[][] v = StoreContents.values(values, 64);
            for (int t = 0; t < values.size(); t++) {
                for (int c = 0; c < 64; c++) {
                    float key = Element.F16.round(steps.states(0, t, 1).keys()[c]);
                    float value = Element.F16.round(steps.states(0, t, 1).values()[c]);
                    assertBounded(key, k[t][c], StoreContents.scale(keys, t, c), bits);
                    assertBounded(value, v[t][c], StoreContents.scale(values, t, c), bits);
                }
            }
        }
    }

    /** Half a step, and at the clamped upper end what rounding the scale to F16 took away. */
    private static void assertBounded(float original, float decoded, float scale, int bits) {
        double clamped = Math.pow(2, -11) * ((1 << bits) - 1) * scale;
        assertThat(Math.abs(original - decoded)).isLessThanOrEqualTo((float) (scale / 2 + clamped + 1e-6));
    }

    @Test
    void constantGroupsDecodeExactly() {
        PagePool pool = Steps.pool();
        PackedLayout layout = new PackedLayout(128, 64, 2, 32, Axis.PER_DEPTH, Quantizer.MIN_MAX);
        PackedKeys keys = new PackedKeys(pool, Kernels.best(), layout);
        float[] rows = new float[64 * 64];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = i % 64 - 30.5f;
        }
        fill(keys, pool, rows, 64);
        for (float[] key : StoreContents.keys(keys, 64)) {
            for (int c = 0; c < 64; c++) {
                assertThat(key[c]).isEqualTo(c - 30.5f);
            }
        }
        keys.release();
        assertThat(pool.usedBytes()).isZero();
    }

    private static void fill(TokenStore store, PagePool pool, float[] rows, int headDim) {
        int count = rows.length / headDim;
        try (PagePool.Claim claim = pool.claim(store.wantedBytes(count))) {
            store.reserve(count, claim);
        }
        store.append(rows, 0, headDim, count, new Scratch());
    }

    @Test
    void perChannelKeysSurviveOutlierChannels() {
        float[] rows = new float[256 * 128];
        for (int c = 0; c < 128; c++) {
            float offset = c % 21 == 5 ? (c % 2 == 0 ? 1 : -1) * (8 + random.nextFloat() * 6) : 0;
            for (int t = 0; t < 256; t++) {
                rows[t * 128 + c] = (float) random.nextGaussian() + offset;
            }
        }
        double channel = keyError(Axis.PER_DEPTH, rows, 2, 32);
        double token = keyError(Axis.PER_LANE, rows, 2, 32);
        assertThat(token).isGreaterThan(10 * channel);
        assertThat(scoreError(Axis.PER_LANE, rows)).isGreaterThan(3 * scoreError(Axis.PER_DEPTH, rows));
    }

    private double keyError(Axis axis, float[] rows, int bits, int group) {
        float[][] decoded = StoreContents.keys(packedKeys(axis, rows, bits, group), 128);
        double sum = 0;
        for (int i = 0; i < rows.length; i++) {
            double error = decoded[i / 128][i % 128] - rows[i];
            sum += error * error;
        }
        return sum / rows.length;
    }

    private static KeyStore packedKeys(Axis axis, float[] rows, int bits, int group) {
        PagePool pool = Steps.pool();
        PackedLayout layout = new PackedLayout(128, 128, bits, group, axis, Quantizer.MIN_MAX);
        PackedKeys keys = new PackedKeys(pool, Kernels.best(), layout);
        fill(keys, pool, rows, 128);
        return keys;
    }

    private double scoreError(Axis axis, float[] rows) {
        float[][] decoded = StoreContents.keys(packedKeys(axis, rows, 2, 32), 128);
        Random queries = new Random(8);
        double sum = 0;
        for (int trial = 0; trial < 20; trial++) {
            double[] q = queries.doubles(128, -1, 1).toArray();
            for (int t = 0; t < decoded.length; t++) {
                double error = 0;
                for (int c = 0; c < 128; c++) {
                    error += q[c] * (decoded[t][c] - rows[t * 128 + c]);
                }
                sum += error * error;
            }
        }
        return Math.sqrt(sum);
    }

    @Test
    void perTokenValuesKeepATokensErrorInTheToken() {
        float[] rows = new float[256 * 128];
        for (int t = 0; t < 256; t++) {
            double magnitude = Math.exp(random.nextGaussian());
            for (int c = 0; c < 128; c++) {
                rows[t * 128 + c] = (float) (random.nextGaussian() * magnitude);
            }
        }
        assertThat(outputError(Axis.PER_DEPTH, rows)).isLessThan(outputError(Axis.PER_LANE, rows));
    }

    /** The error of sums under a few large weights, as attention has them. */
    private double outputError(Axis axis, float[] rows) {
        PagePool pool = Steps.pool();
        PackedLayout layout = new PackedLayout(128, 128, 2, 32, axis, Quantizer.MIN_MAX);
        PackedValues store = new PackedValues(pool, Kernels.best(), layout);
        fill(store, pool, rows, 128);
        float[][] decoded = StoreContents.values((ValueStore) store, 128);
        Random tokens = new Random(9);
        double sum = 0;
        for (int trial = 0; trial < 200; trial++) {
            int[] chosen = tokens.ints(4, 0, 256).toArray();
            for (int c = 0; c < 128; c++) {
                double error = 0;
                for (int t : chosen) {
                    error += 0.25 * (decoded[t][c] - rows[t * 128 + c]);
                }
                sum += error * error;
            }
        }
        return Math.sqrt(sum);
    }

    @Test
    void errorFallsWithBitsAndDoesNotFallWithTheGroup() {
        float[] rows = new float[256 * 128];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = (float) random.nextGaussian();
        }
        for (Axis axis : Axis.values()) {
            Supplier<Double> two = () -> keyError(axis, rows, 2, 32);
            assertThat(two.get()).isGreaterThan(10 * keyError(axis, rows, 4, 32));
            assertThat(keyError(axis, rows, 4, 32)).isGreaterThan(100 * keyError(axis, rows, 8, 32));
            assertThat(two.get()).isLessThanOrEqualTo(keyError(axis, rows, 2, 64));
            assertThat(keyError(axis, rows, 2, 64)).isLessThanOrEqualTo(keyError(axis, rows, 2, 128));
        }
    }

    @ParameterizedTest
    @CsvSource({"2, 419840", "4, 677888"})
    void allocatesThePapersBytes(int bits, long bytes) {
        CacheShape shape = new CacheShape(1, 1, 1, 128, 128);
        CacheSpec spec = CacheSpec.parse("kivi(bits=" + bits + ")");
        PagePool pool = Steps.pool();
        try (KvCache cache = Caches.create(spec, shape, pool, Steps.sequential())) {
            Steps wide = new Steps(shape, 1);
            wide.feed(cache, 4000);
            while (cache.length() < 4096) {
                wide.feed(cache, 1);
            }
            assertThat(pool.usedBytes()).isEqualTo(bytes);
            assertThat(cache.footprint().total()).isEqualTo(bytes);
            assertThat(Caches.estimateBytes(spec, shape, 4096)).isEqualTo(bytes);
            assertThat(cache.footprint().bitsPerElement(shape, 4096)).isBetween(3.2, 5.18);
        }
    }
}
