package dev.kvasir.cache.method.saq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
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
import dev.kvasir.cache.kernel.ScalarKernels;
import dev.kvasir.cache.kernel.StepDown;
import dev.kvasir.cache.store.FlushingKeys;
import dev.kvasir.cache.store.FlushingValues;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.SlidingValues;
import dev.kvasir.cache.store.StairKeys;
import dev.kvasir.cache.store.StairValues;
import dev.kvasir.cache.store.StoreContents;
import dev.kvasir.cache.store.TokenStore;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the staircase must do: levels by age, nested codes, errors, bytes, forks. */
class SaqTest {
    private static final int D = 64;
    private static final CacheShape SHAPE = new CacheShape(1, 2, 1, D, 64);
    private final Steps steps = new Steps(SHAPE, 21);
    private final Random random = new Random(4);

    private static SequenceCache create(String spec, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), SHAPE, pool, Steps.sequential());
    }

    /** The stairs of a cache without sinks. */
    private static StairKeys keys(SequenceCache cache) {
        return (StairKeys) ((FlushingKeys) cache.head(0, 0).keys()).packed();
    }

    private static StairValues values(SequenceCache cache) {
        return (StairValues) ((FlushingValues) cache.head(0, 0).values()).packed();
    }

    @Test
    void twoLevelsGiveTheCodesOfKivi() {
        try (PagePool pool = Steps.pool();
                SequenceCache saq = create("saq(16-2, segment=128, paperExact=true)", pool);
                SequenceCache kivi = create("kivi(bits=2, residual=128)", pool)) {
            for (int count : new int[] {300, 1, 90, 250}) {
                steps.feed(saq, count);
                steps.feed(kivi, count);
            }
            PackedKeys kiviKeys = (PackedKeys) ((FlushingKeys) kivi.head(0, 0).keys()).packed();
            PackedValues kiviValues = ((SlidingValues) kivi.head(0, 0).values()).packed();
            assertThat(StoreContents.codes(keys(saq).stair(0))).isDeepEqualTo(StoreContents.codes(kiviKeys));
            assertThat(StoreContents.keys(keys(saq).stair(0), D)).isDeepEqualTo(StoreContents.keys(kiviKeys, D));
            int common = Math.min(values(saq).size(), kiviValues.size());
            assertThat(common).isEqualTo(513);
            assertThat(Arrays.copyOf(StoreContents.codes(values(saq).stair(0)), common))
                    .isDeepEqualTo(Arrays.copyOf(StoreContents.codes(kiviValues), common));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"16-8-4-2", "16-2", "32-8-6-5-4-3-2-1"})
    void everySegmentIsOnTheStairOfItsAge(String levels) {
        int segment = 32;
        int[] b = Arrays.stream(levels.split("-")).mapToInt(Integer::parseInt).toArray();
        int q = b.length;
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("saq(" + levels + ", segment=32, paperExact=true)", pool)) {
            for (int n = 1; n <= 10 * segment; n++) {
                steps.feed(cache, 1);
                int s = n / segment;
                int[] tokensOfLevel = new int[33];
                for (int i = 1; i <= s; i++) {
                    tokensOfLevel[b[Math.min(i + 1, q) - 1]] += segment;
                }
                for (int stair = 0; stair < q - 1; stair++) {
                    PackedKeys keys = keys(cache).stair(stair);
                    PackedValues values = values(cache).stair(stair);
                    assertThat(keys.layout().bits()).isEqualTo(b[stair + 1]);
                    assertThat(values.layout().bits()).isEqualTo(b[stair + 1]);
                    assertThat(keys.size()).isEqualTo(tokensOfLevel[b[stair + 1]]);
                    assertThat(values.size()).isEqualTo(keys.size());
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"8, 4", "4, 2", "2, 1", "8, 2", "8, 1", "4, 1"})
    void nestedCodesAreThoseOfTheNumberItself(int from, int to) {
        int r = ((1 << from) - 1) / ((1 << to) - 1);
        assertThat(r % 2).isOne();
        assertThat(StepDown.nests(from, to)).isTrue();
        int fine = (1 << from) - 1;
        int wrong = 0;
        for (int i = 0; i < 400_000; i++) {
            double x = random.nextDouble();
            int staged = stepDown((int) Math.rint(x * fine), from, to);
            wrong += staged == (int) Math.rint(x * ((1 << to) - 1)) ? 0 : 1;
        }
        assertThat(wrong).isZero();
        for (int code = 0; code <= fine; code++) {
            assertThat(stepDown(code, from, to)).isEqualTo((code + (r - 1) / 2) / r);
        }
    }

    /** One code through the kernel. */
    private static int stepDown(int code, int from, int to) {
        return (int) (((long) code * StepDown.factor(from, to) + (1 << 19)) >>> 20);
    }

    @Test
    void everyLadderRoundsToTheNearest() {
        for (int from = 2; from <= 8; from++) {
            for (int to = 1; to < from; to++) {
                for (int code = 0; code < 1 << from; code++) {
                    double exact = (double) code * ((1 << to) - 1) / ((1 << from) - 1);
                    assertThat(stepDown(code, from, to)).isEqualTo((int) Math.rint(exact));
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"128, 64, 32", "32, 80, 16", "64, 128, 64", "96, 96, 32"})
    void vectorKernelsStepDownAsTheScalarOnes(int lanes, int depth, int group) {
        int[] widths = {8, 6, 5, 4, 3, 2, 1};
        for (int a = 0; a < widths.length; a++) {
            for (int b = a + 1; b < widths.length; b++) {
                int last = widths[b];
                PackedLayout from = layout(lanes, depth, group, widths[a], last);
                PackedLayout to = layout(lanes, depth, group, last, last);
                float[] rows = new float[lanes * depth];
                for (int i = 0; i < rows.length; i++) {
                    rows[i] = (float) random.nextGaussian();
                }
                int[] factors = {StepDown.factor(widths[a], last)};
                try (var arena = java.lang.foreign.Arena.ofConfined()) {
                    var page = arena.allocate(from.bytes());
                    var vector = arena.allocate(to.bytes());
                    var scalar = arena.allocate(to.bytes());
                    float[] work = new float[Kernels.workSize(from)];
                    Kernels.best().pack(from, page, 0, lanes, 0, depth, rows, 0, lanes, work);
                    Kernels.best().stepDown(from, page, to, vector, factors);
                    new ScalarKernels().stepDown(from, page, to, scalar, factors);
                    assertThat(vector.mismatch(scalar)).isEqualTo(-1);
                    for (int j = 0; j < depth; j++) {
                        for (int lane = 0; lane < lanes; lane++) {
                            assertThat(to.code(vector, j, lane))
                                    .isEqualTo(stepDown(from.code(page, j, lane), widths[a], last));
                            assertThat(to.zero(vector, j, lane)).isEqualTo(from.zero(page, j, lane));
                        }
                    }
                }
            }
        }
    }

    private static PackedLayout layout(int lanes, int depth, int group, int bits, int last) {
        return new PackedLayout(lanes, depth, bits, group, Axis.PER_DEPTH, Quantizer.nested(bits, last));
    }

    @Test
    void stagedCodesAreTheDirectOnesAndParametersStay() {
        int segment = 64;
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("saq(16-8-4-2, segment=64, paperExact=true)", pool)) {
            while (cache.length() < 6 * segment) {
                steps.feed(cache, 1);
            }
            for (int stair = 0; stair < 3; stair++) {
                PackedKeys keys = keys(cache).stair(stair);
                PackedValues values = values(cache).stair(stair);
                int first = stair == 2 ? 0 : (5 - stair) * segment;
                PackedKeys direct = new PackedKeys(pool, Kernels.best(), keys.layout());
                PackedValues directValues = new PackedValues(pool, Kernels.best(), values.layout());
                fill(direct, pool, rounded(steps.states(0, first, keys.size()).keys(), keys.size()));
                fill(
                        directValues,
                        pool,
                        rounded(steps.states(0, first, keys.size()).values(), keys.size()));
                assertThat(StoreContents.codes(keys)).isDeepEqualTo(StoreContents.codes(direct));
                assertThat(StoreContents.codes(values)).isDeepEqualTo(StoreContents.codes(directValues));
                // The same codes with the same minima and steps: they decode to the same numbers.
                assertThat(StoreContents.keys(keys, D)).isDeepEqualTo(StoreContents.keys(direct, D));
                assertThat(StoreContents.values(values, D)).isDeepEqualTo(StoreContents.values(directValues, D));
                direct.release();
                directValues.release();
            }
        }
    }

    private static float[] rounded(float[] rows, int tokens) {
        float[] copy = Arrays.copyOf(rows, tokens * D);
        Element.F16.round(copy, 0, copy.length);
        return copy;
    }

    private static void fill(TokenStore store, PagePool pool, float[] rows) {
        int count = rows.length / D;
        try (PagePool.Claim claim = pool.claim(store.wantedBytes(count))) {
            store.reserve(count, claim);
        }
        store.append(rows, 0, D, count, new Scratch());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void quantizingTheTailAgainChangesNothing(int bits) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("saq(16-8-" + bits + ", segment=64, paperExact=true)", pool)) {
            steps.feed(cache, 64 * 8);
            PackedKeys tail = keys(cache).stair(1);
            float[] decoded = flat(StoreContents.keys(tail, D));
            Element.F32.round(decoded, 0, decoded.length);
            PackedKeys again = new PackedKeys(pool, Kernels.best(), tail.layout());
            fill(again, pool, decoded);
            assertThat(differing(StoreContents.codes(again), StoreContents.codes(tail)))
                    .isZero();
            again.release();
        }
    }

    private static float[] flat(float[][] rows) {
        float[] all = new float[rows.length * D];
        for (int t = 0; t < rows.length; t++) {
            System.arraycopy(rows[t], 0, all, t * D, D);
        }
        return all;
    }

    private static long differing(int[][] a, int[][] b) {
        long count = 0;
        for (int t = 0; t < a.length; t++) {
            for (int c = 0; c < a[t].length; c++) {
                count += a[t][c] != b[t][c] ? 1 : 0;
            }
        }
        return count;
    }

    @ParameterizedTest
    @ValueSource(strings = {"16-8-4-2", "16-8-4-2-1", "16-4-1", "16-4-3-2", "16-8-6-5-3"})
    void errorIsAtMostHalfAStepOfTheLevel(String levels) {
        int segment = 64;
        int group = 32;
        int q = levels.split("-").length;
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("saq(" + levels + ", segment=64, paperExact=true)", pool)) {
            while (cache.length() < 8 * segment) {
                steps.feed(cache, 1);
            }
            for (int stair = 0; stair < q - 1; stair++) {
                PackedKeys keys = keys(cache).stair(stair);
                float[][] found = StoreContents.keys(keys, D);
                float[][] foundValues = StoreContents.values(values(cache).stair(stair), D);
                int first = stair == q - 2 ? 0 : (7 - stair) * segment;
                float[] original = rounded(steps.states(0, first, keys.size()).keys(), keys.size());
                float[] originalValues =
                        rounded(steps.states(0, first, keys.size()).values(), keys.size());
                double steps = added(levels, stair);
                for (int t = 0; t < keys.size(); t++) {
                    for (int c = 0; c < D; c++) {
                        double range = range(original, t / group * group * D + c, D, group);
                        double error = Math.abs(found[t][c] - original[t * D + c]);
                        assertThat(error).isLessThanOrEqualTo(range * (steps + 0x1p-10));
                        range = range(originalValues, t * D + c / group * group, 1, group);
                        error = Math.abs(foundValues[t][c] - originalValues[t * D + c]);
                        assertThat(error).isLessThanOrEqualTo(range * (steps + 0x1p-10));
                    }
                }
            }
        }
    }

    /** The bound of a stair as a part of the range: half its step, and half a step of each stair above whose grid does not nest. */
    private static double added(String levels, int stair) {
        int[] b = Arrays.stream(levels.split("-")).mapToInt(Integer::parseInt).toArray();
        double bound = 0.5 / ((1 << b[stair + 1]) - 1);
        for (int i = 1; i <= stair; i++) {
            bound += StepDown.nests(b[i], b[i + 1]) ? 0 : 0.5 / ((1 << b[i]) - 1);
        }
        return bound;
    }

    private static double range(float[] x, int first, int stride, int count) {
        float min = x[first];
        float max = x[first];
        for (int i = 1; i < count; i++) {
            min = Math.min(min, x[first + i * stride]);
            max = Math.max(max, x[first + i * stride]);
        }
        return max - min;
    }

    @ParameterizedTest
    @CsvSource({"1024, 4.00", "4096, 3.25", "32768, 3.03"})
    void allocatesTheBitsOfTheFormula(int tokens, double bits) {
        CacheShape shape = new CacheShape(1, 1, 1, 128, 128);
        CacheSpec spec = CacheSpec.parse("saq(paperExact=true)");
        double formula = (128 * (8 + 1) + 128 * (4 + 1) + (tokens - 256) * 3.0) / tokens;
        assertThat(formula).isBetween(bits - 0.005, bits + 0.005);
        PagePool pool = Steps.pool();
        try (KvCache cache = Caches.create(spec, shape, pool, Steps.sequential())) {
            Steps wide = new Steps(shape, 1);
            if (tokens <= 4096) {
                wide.feed(cache, tokens - 130);
                while (cache.length() < tokens) {
                    wide.feed(cache, 1);
                }
                assertThat(cache.footprint().bitsPerElement(shape, tokens)).isEqualTo(formula);
                assertThat(pool.usedBytes()).isEqualTo((long) (formula * tokens * 256 / 8));
            }
            assertThat(Caches.estimate(spec, shape, tokens).bitsPerElement(shape, tokens))
                    .isEqualTo(formula);
        }
    }

    @Test
    void sinksCostTheirExactBytesOnly() {
        CacheShape shape = new CacheShape(1, 1, 1, 128, 128);
        long without = Caches.estimateBytes(CacheSpec.parse("saq(paperExact=true)"), shape, 1024);
        assertThat(Caches.estimateBytes(CacheSpec.parse("saq"), shape, 1028)).isEqualTo(without + 4 * 128 * 2 * 2);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "saq(segment=32)",
                "saq(16-8-4-2-1, segment=64, group=64, sinks=1)",
                "saq(16-4-3-2, segment=32, paperExact=true)",
                "saq(32-8-6-5-3, segment=96, sinks=40)",
                "saq(16-2, segment=32, group=16)",
                "saq(16)"
            })
    void aPromptGivesTheCacheOfItsTokensOneByOne(String spec) {
        for (int n : new int[] {3, 36, 7 * 32 + 4, 301}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache prompt = create(spec, pool);
                    SequenceCache single = create(spec, pool);
                    SequenceCache mixed = create(spec, pool)) {
                steps.feed(prompt, n);
                while (single.length() < n) {
                    steps.feed(single, 1);
                }
                while (mixed.length() < n) {
                    steps.feed(mixed, Math.min(n - mixed.length(), 1 + random.nextInt(150)));
                }
                for (SequenceCache other : List.of(single, mixed)) {
                    assertThat(decoded(other)).isDeepEqualTo(decoded(prompt));
                    assertThat(other.footprint()).isEqualTo(prompt.footprint());
                }
                float[] expected = steps.feed(prompt, 1);
                assertThat(steps.feed(single, 1)).isEqualTo(expected);
                assertThat(steps.feed(mixed, 1)).isEqualTo(expected);
            }
        }
    }

    /** All keys, then all values, as they decode. */
    private static float[][] decoded(SequenceCache cache) {
        float[][] keys = StoreContents.keys(cache.head(0, 0).keys(), D);
        float[][] values = StoreContents.values(cache.head(0, 0).values(), D);
        float[][] all = Arrays.copyOf(keys, keys.length + values.length);
        System.arraycopy(values, 0, all, keys.length, values.length);
        return all;
    }

    private static byte[] saved(KvCache cache) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        cache.save(out, "model");
        return out.toByteArray();
    }

    @Test
    void allLevelsOf16AreTheExactCache() {
        try (PagePool pool = Steps.pool();
                SequenceCache saq = create("saq(16, paperExact=true)", pool);
                SequenceCache sinks = create("saq(16)", pool);
                SequenceCache exact = create("exact(f16)", pool)) {
            for (int count : new int[] {1, 1, 1, 1, 1, 150, 1, 300, 1}) {
                float[] expected = steps.feed(exact, count);
                assertThat(steps.feed(saq, count)).isEqualTo(expected);
                Steps.assertClose(steps.feed(sinks, count), expected, 1e-6);
            }
        }
    }

    @Test
    void forksKeepTheirOwnAfterStepDowns() throws IOException {
        for (int length : new int[] {100, 32 * 3 + 4, 330}) {
            Steps others = new Steps(SHAPE, 22);
            PagePool pool = Steps.pool();
            try (SequenceCache cache = create("saq(segment=32)", pool);
                    SequenceCache twin = create("saq(segment=32)", pool)) {
                steps.feed(cache, length);
                steps.feed(twin, length);
                long before = pool.usedBytes();
                KvCache fork = cache.fork();
                assertThat(pool.usedBytes()).isEqualTo(before);
                byte[] kept = saved(cache);
                for (int i = 0; i < 100; i++) {
                    others.feed(fork, 1);
                }
                // The fork went down its stairs alone.
                assertThat(saved(cache)).isEqualTo(kept);
                for (int i = 0; i < 70; i++) {
                    assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
                }
                assertThat(saved(cache)).isEqualTo(saved(twin));
                assertThat(fork.footprint().total()).isEqualTo(Caches.estimateBytes(fork.spec(), SHAPE, fork.length()));
                fork.close();
                assertThat(pool.usedBytes())
                        .isEqualTo(cache.footprint().total() + twin.footprint().total());
            }
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @Test
    void aStepDownNeedsNoMoreThanTheGrowth() {
        // The budget of the final length, and of the exact window that is full just before the flush, is enough.
        for (int n : new int[] {4 + 64 * 4, 4 + 64 * 9}) {
            CacheSpec spec = CacheSpec.parse("saq(segment=64)");
            long full = Caches.estimateBytes(spec, SHAPE, n - 1);
            long packed = Caches.estimateBytes(spec, SHAPE, n) - Caches.estimateBytes(spec, SHAPE, n - 64);
            try (PagePool pool = new PagePool(full + packed);
                    KvCache cache = Caches.create(spec, SHAPE, pool, Steps.sequential())) {
                steps.feed(cache, 70);
                while (cache.length() < n) {
                    steps.feed(cache, 1);
                    assertThat(pool.usedBytes()).isEqualTo(Caches.estimateBytes(spec, SHAPE, cache.length()));
                }
            }
        }
    }

    /** The whole method again in plain doubles, from its description: quantize what is exact, each level by itself. */
    @ParameterizedTest
    @CsvSource({"16-8-4-2, 32, 32, 4", "16-8-4-2-1, 64, 16, 0", "32-4-2, 32, 32, 7", "16-8-2, 96, 32, 4"})
    void agreesWithAPlainReference(String levels, int segment, int group, int sinks) {
        int[] b = Arrays.stream(levels.split("-")).mapToInt(Integer::parseInt).toArray();
        String spec = "saq(" + levels + ", segment=" + segment + ", group=" + group + ", sinks=" + sinks + ")";
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, pool)) {
            for (int count : new int[] {segment * 2 + 17, 1, 1, 160, 1, 1}) {
                int length = cache.length();
                if (count > 1) {
                    steps.feed(cache, count);
                    continue;
                }
                double[][] k = new double[length + 1][D];
                double[][] v = new double[length + 1][D];
                reference(b, segment, group, sinks, length, k, v);
                float[] q = steps.queries(0, length, 1).queries();
                float[] expected = new float[2 * D];
                for (int head = 0; head < 2; head++) {
                    attend(q, head * D, k, v, expected);
                }
                Steps.assertClose(steps.feed(cache, 1), expected, 1e-3);
            }
        }
    }

    private void reference(int[] b, int segment, int group, int sinks, int n, double[][] k, double[][] v) {
        Element exact = b[0] == 32 ? Element.F32 : Element.F16;
        float[] keys = steps.states(0, 0, n + 1).keys();
        float[] values = steps.states(0, 0, n + 1).values();
        for (int t = 0; t <= n; t++) {
            for (int c = 0; c < D; c++) {
                k[t][c] = t == n ? keys[t * D + c] : exact.round(keys[t * D + c]);
                v[t][c] = t == n ? values[t * D + c] : exact.round(values[t * D + c]);
            }
        }
        int s = Math.max(0, n - sinks) / segment;
        for (int i = 1; i <= s; i++) {
            int bits = b[Math.min(i + 1, b.length) - 1];
            int first = sinks + (s - i) * segment;
            for (int t = first; t < first + segment; t += group) {
                for (int c = 0; c < D; c++) {
                    requantize(k, t, c, group, 1, bits, b[b.length - 1]);
                }
            }
            for (int t = first; t < first + segment; t++) {
                for (int c = 0; c < D; c += group) {
                    requantize(v, t, c, 1, group, bits, b[b.length - 1]);
                }
            }
        }
    }

    private static void requantize(double[][] x, int token, int channel, int tokens, int channels, int bits, int last) {
        double min = Double.MAX_VALUE;
        double max = -Double.MAX_VALUE;
        for (int t = token; t < token + tokens; t++) {
            for (int c = channel; c < channel + channels; c++) {
                min = Math.min(min, x[t][c]);
                max = Math.max(max, x[t][c]);
            }
        }
        double coarsest = Element.F16.round((float) ((max - min) / ((1 << last) - 1)));
        double step = coarsest * ((1 << last) - 1) / ((1 << bits) - 1);
        min = Element.F16.round((float) min);
        for (int t = token; t < token + tokens; t++) {
            for (int c = channel; c < channel + channels; c++) {
                x[t][c] = min + step * Math.clamp(Math.rint((x[t][c] - min) / step), 0, (1 << bits) - 1);
            }
        }
    }

    private static void attend(float[] q, int row, double[][] k, double[][] v, float[] out) {
        double[] weights = new double[k.length];
        double sum = 0;
        for (int t = 0; t < k.length; t++) {
            double score = 0;
            for (int c = 0; c < D; c++) {
                score += q[row + c] * k[t][c];
            }
            weights[t] = Math.exp(score / Math.sqrt(D));
            sum += weights[t];
        }
        for (int c = 0; c < D; c++) {
            double value = 0;
            for (int t = 0; t < k.length; t++) {
                value += weights[t] * v[t][c];
            }
            out[row + c] = (float) (value / sum);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 80, 96, 128, 256})
    void servesHeadsOfAnyUsualWidth(int headDim) {
        CacheShape shape = new CacheShape(1, 4, 2, headDim, 8);
        Steps wide = new Steps(shape, 3);
        String group = headDim == 80 ? "16" : "32";
        try (PagePool pool = Steps.pool();
                SequenceCache cache = (SequenceCache) Caches.create(
                        CacheSpec.parse("saq(16-8-4-2-1, segment=32, group=" + group + ")"),
                        shape,
                        pool,
                        Steps.sequential())) {
            for (int count : new int[] {77, 1, 40, 3, 64}) {
                float[] expected = wide.expected(
                        cache,
                        dev.kvasir.cache.transform.Transform.NONE,
                        dev.kvasir.cache.transform.Transform.NONE,
                        count);
                Steps.assertClose(wide.feed(cache, count), expected, 1e-5);
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "saq(8-4-2)|levels=[8, 4, 2]",
                "saq(16-4-8)|falling",
                "saq(16-8-8)|falling",
                "saq(16-7)|from [8, 6, 5, 4, 3, 2, 1]",
                "saq(levels=16-)|joined by hyphens",
                "saq(segment=0)|from 32 to 8192",
                "saq(segment=48)|not a multiple of 32",
                "saq(segment=16384)|to 8192",
                "saq(group=128)|does not divide the head's 64 channels",
                "saq(segment=32, group=64)|multiple of 32 and of group=64",
                "saq(sinks=1000)|0 to 256"
            })
    void saysWhatIsWrong(String spec, String problem) {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> create(spec, pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining(problem)
                    .hasMessageNotContaining("\n");
        }
    }

    @Test
    void rollbackReachesTheLastWholeSegment() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("saq(segment=32)", pool)) {
            steps.feed(cache, 30);
            assertThat(cache.rollbackLimit()).isEqualTo(30);
            steps.feed(cache, 4 + 32 + 5 - 30);
            assertThat(cache.rollbackLimit()).isEqualTo(5);
        }
    }

    @Test
    void agesAreListed() {
        assertThat(List.of(Caches.complete(CacheSpec.parse("saq")).toString()))
                .containsExactly("saq(levels=16-8-4-2, segment=128, group=32, sinks=4, paperExact=false)");
    }
}
