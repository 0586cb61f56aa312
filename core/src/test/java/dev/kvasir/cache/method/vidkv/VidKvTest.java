package dev.kvasir.cache.method.vidkv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.store.FlushingKeys;
import dev.kvasir.cache.store.FlushingValues;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.StoreContents;
import dev.kvasir.tensor.Workers;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What VidKV must do as a cache: read, flush, count its bytes, protect, go on after anything. */
class VidKvTest {
    private static final int D = 64;
    private static final CacheShape SHAPE = new CacheShape(1, 2, 2, D, 64);
    private final Steps steps = new Steps(SHAPE, 21);
    private final Random random = new Random(4);

    private static SequenceCache create(String spec, CacheShape shape, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential());
    }

    private static SequenceCache create(String spec, PagePool pool) {
        return create(spec, SHAPE, pool);
    }

    private static VidKvLayer layer(SequenceCache cache) {
        return (VidKvLayer) cache.store(0);
    }

    private static VidValues values(SequenceCache cache, int kvHead) {
        return (VidValues) ((FlushingValues) layer(cache).head(kvHead).values()).packed();
    }

    private static int exact(SequenceCache cache) {
        return layer(cache).flushing(0).window().size();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            nullValues = "none",
            value = {
                "vidkv                                                                      | REAL",
                "vidkv(1.25, group=64)                                                      | REAL",
                "vidkv(1, fft=false)                                                        | PLAIN",
                "vidkv(2, valueBits=2)                                                      | REAL",
                "vidkv(1.5, oneBitRule=LITERAL)                                             | COMPLEX",
                "vidkv(1.3, oneBitRule=LITERAL, fft=false, metric=variance)                 | PLAIN",
                "vidkv(1.5, scope=head, residual=64, protect=0..31+77..108)                 | REAL",
                "vidkv(1.7, group=128, residual=256, protect=5..132, metric=outliers)       | REAL",
                "vidkv(1.5, valueBits=2, flush=REQUANT_ALL, residual=32, protect=300..331)  | REAL"
            })
    void readsWhatPlainLoopsReconstruct(String spec, Spectrum.Kind kind) {
        String protect = spec.contains("protect=") ? spec.replaceAll(".*protect=([0-9.+]*).*", "$1") : "";
        for (int ratio : new int[] {1, 4, 8}) {
            int headDim = new int[] {64, 128, 96}[random.nextInt(3)];
            CacheShape shape = new CacheShape(1, 2 * ratio, 2, headDim, 8);
            Steps made = new Steps(shape, random.nextLong());
            PagePool pool = Steps.pool();
            try (SequenceCache cache = create(spec, shape, pool)) {
                for (int count : new int[] {1 + random.nextInt(300), 1, 3, 19, 140, 1}) {
                    float[] expected = expected(cache, made, shape, kind, Positions.parse(protect), count);
                    Steps.assertClose(made.feed(cache, count), expected, 1e-5);
                }
            }
            assertThat(pool.usedBytes()).isZero();
        }
    }

    /** The outputs of the next step over what the stores' codes stand for, by plain loops. */
    private static float[] expected(
            SequenceCache cache, Steps steps, CacheShape shape, Spectrum.Kind kind, Positions protect, int count) {
        int d = shape.headDim();
        int first = cache.length();
        float[] out = new float[count * shape.heads() * d];
        for (int kvHead = 0; kvHead < shape.kvHeads(); kvHead++) {
            double[][] k = Arrays.copyOf(VidContents.keys(layer(cache).head(kvHead), d, kind), first + count);
            double[][] v = Arrays.copyOf(VidContents.values(layer(cache).head(kvHead), d, protect), first + count);
            own(steps, shape, kvHead, first, count, k, v);
            attend(steps, shape, kvHead, first, count, k, v, out);
        }
        return out;
    }

    private static void own(
            Steps steps, CacheShape shape, int kvHead, int first, int count, double[][] k, double[][] v) {
        int d = shape.headDim();
        float[] keys = steps.states(0, first, count).keys();
        float[] values = steps.states(0, first, count).values();
        for (int t = 0; t < count; t++) {
            k[first + t] = new double[d];
            v[first + t] = new double[d];
            for (int c = 0; c < d; c++) {
                k[first + t][c] = keys[(t * shape.kvHeads() + kvHead) * d + c];
                v[first + t][c] = values[(t * shape.kvHeads() + kvHead) * d + c];
            }
        }
    }

    private static void attend(
            Steps steps, CacheShape shape, int kvHead, int first, int count, double[][] k, double[][] v, float[] out) {
        int d = shape.headDim();
        int g = shape.queriesPerKvHead();
        float[] q = steps.queries(0, first, count).queries();
        for (int t = 0; t < count; t++) {
            for (int head = kvHead * g; head < (kvHead + 1) * g; head++) {
                int row = (t * shape.heads() + head) * d;
                double[] weights = new double[first + t + 1];
                for (int i = 0; i < weights.length; i++) {
                    for (int c = 0; c < d; c++) {
                        weights[i] += q[row + c] * k[i][c] / Math.sqrt(d);
                    }
                }
                double max = Arrays.stream(weights).max().orElseThrow();
                double sum = 0;
                for (int i = 0; i < weights.length; i++) {
                    weights[i] = Math.exp(weights[i] - max);
                    sum += weights[i];
                }
                for (int c = 0; c < d; c++) {
                    double value = 0;
                    for (int i = 0; i < weights.length; i++) {
                        value += weights[i] * v[i][c];
                    }
                    out[row + c] = (float) (value / sum);
                }
            }
        }
    }

    /** The whole method again in plain doubles, from its description, on a prompt and the tokens after it. */
    @Test
    void agreesWithAReferenceFromTheDescription() {
        int group = 32;
        CacheShape shape = new CacheShape(1, 2, 1, D, 8);
        Steps made = new Steps(shape, 5);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("vidkv(1.5, protect=64..95, residual=64)", shape, pool)) {
            int prompt = 175;
            made.feed(cache, prompt);
            while (cache.length() < 250) {
                int n = cache.length();
                // Up to 159 by the prompt, then 64 rows when the residual is full.
                int quantized = 160 + (n - 160) / 64 * 64;
                double[][] k = new double[n + 1][];
                double[][] v = new double[n + 1][];
                own(made, shape, 0, 0, n + 1, k, v);
                for (int t = 0; t < n; t++) {
                    for (int c = 0; c < D; c++) {
                        k[t][c] = half(k[t][c]);
                        v[t][c] = half(v[t][c]);
                    }
                }
                boolean[] abnormal = widest(k, prompt, D / 2);
                for (int t = 0; t < quantized; t += group) {
                    quantizeKeys(k, t, group, abnormal);
                    quantizeValues(v, t, group, t == 64);
                }
                float[] expected = new float[2 * D];
                attend(made, shape, 0, n, 1, k, v, expected);
                Steps.assertClose(made.feed(cache, 1), expected, 1e-3);
            }
        }
    }

    private static double half(double x) {
        return Float.float16ToFloat(Float.floatToFloat16((float) x));
    }

    private static boolean[] widest(double[][] k, int tokens, int count) {
        double[] range = new double[D];
        for (int c = 0; c < D; c++) {
            int channel = c;
            double[] column =
                    Arrays.stream(k, 0, tokens).mapToDouble(row -> row[channel]).toArray();
            range[c] = Arrays.stream(column).max().orElseThrow()
                    - Arrays.stream(column).min().orElseThrow();
        }
        double border = Arrays.stream(range).sorted().toArray()[D - count];
        boolean[] abnormal = new boolean[D];
        for (int c = 0; c < D; c++) {
            abnormal[c] = range[c] >= border;
        }
        return abnormal;
    }

    private static void quantizeKeys(double[][] k, int first, int group, boolean[] abnormal) {
        int h = 0;
        for (int c = 0; c < D; c++) {
            if (abnormal[c]) {
                double[] column = column(k, first, group, c);
                twoBits(column);
                putColumn(k, first, c, column);
            } else {
                h++;
            }
        }
        double[][] re = new double[group][h];
        double[][] im = new double[group][h];
        for (int t = 0; t < group; t++) {
            for (int f = 0; f < h; f++) {
                int i = 0;
                for (int c = 0; c < D; c++) {
                    if (!abnormal[c]) {
                        double angle = 2 * Math.PI * f * i++ / h;
                        re[t][f] += k[first + t][c] * Math.cos(angle);
                        im[t][f] -= k[first + t][c] * Math.sin(angle);
                    }
                }
            }
        }
        for (int f = 0; f <= h / 2; f++) {
            signs(re, f);
            signs(im, f);
        }
        for (int t = 0; t < group; t++) {
            int i = 0;
            for (int c = 0; c < D; c++) {
                if (!abnormal[c]) {
                    double x = re[t][0] + re[t][h / 2] * Math.cos(Math.PI * i);
                    for (int f = 1; f < h / 2; f++) {
                        double angle = 2 * Math.PI * f * i / h;
                        x += 2 * (re[t][f] * Math.cos(angle) - im[t][f] * Math.sin(angle));
                    }
                    k[first + t][c] = x / h;
                    i++;
                }
            }
        }
    }

    /** Replaces one frequency of a group of tokens by its signs and mean magnitude. */
    private static void signs(double[][] z, int f) {
        double mean = 0;
        for (double[] token : z) {
            mean += Math.abs(token[f]) / z.length;
        }
        for (double[] token : z) {
            token[f] = token[f] >= 0 ? mean : -mean;
        }
    }

    private static void quantizeValues(double[][] v, int first, int group, boolean twoBits) {
        for (int c = 0; c < D; c++) {
            double[] column = column(v, first, group, c);
            if (twoBits) {
                twoBits(column);
            } else {
                double border =
                        0.7 * Arrays.stream(column).map(Math::abs).average().orElseThrow();
                double scale = Arrays.stream(column)
                        .map(Math::abs)
                        .filter(x -> x > border)
                        .average()
                        .orElse(0);
                for (int t = 0; t < group; t++) {
                    column[t] = Math.abs(column[t]) > border ? Math.signum(column[t]) * scale : 0;
                }
            }
            putColumn(v, first, c, column);
        }
    }

    private static void twoBits(double[] x) {
        double min = Arrays.stream(x).min().orElseThrow();
        double step = half((Arrays.stream(x).max().orElseThrow() - min) / 3);
        for (int t = 0; t < x.length; t++) {
            x[t] = min + step * Math.clamp(Math.rint((x[t] - min) / step), 0, 3);
        }
    }

    private static double[] column(double[][] x, int first, int count, int c) {
        double[] column = new double[count];
        for (int t = 0; t < count; t++) {
            column[t] = x[first + t][c];
        }
        return column;
    }

    private static void putColumn(double[][] x, int first, int c, double[] column) {
        for (int t = 0; t < column.length; t++) {
            x[first + t][c] = column[t];
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 31, 32, 33, 63, 96, 127, 160, 300, 511})
    void aPromptLeavesWhatFillsNoGroup(int n) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("vidkv", pool)) {
            steps.feed(cache, n);
            assertThat(exact(cache)).isEqualTo(n % 32);
            for (int i = 0; i < 300; i++) {
                steps.feed(cache, 1);
                int after = n % 32 + i + 1;
                assertThat(exact(cache)).isEqualTo(after % 128).isLessThan(128);
                FlushingValues values = (FlushingValues) layer(cache).head(1).values();
                assertThat(values.window().size()).isEqualTo(exact(cache));
                assertThat(values(cache, 1).size()).isEqualTo(cache.length() - exact(cache));
            }
        }
    }

    @Test
    void chunksOfAPromptAreQuantizedAsTheyCome() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("vidkv", pool)) {
            for (int count : new int[] {100, 5, 64, 300, 2}) {
                steps.feed(cache, count);
                if (count >= 32) {
                    assertThat(exact(cache)).isEqualTo(cache.length() % 32);
                }
            }
            assertThat(exact(cache)).isEqualTo(469 % 32 + 2);
        }
    }

    @Test
    void appendLeavesOldGroupsAlone() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("vidkv(1.5, residual=64)", pool)) {
            steps.feed(cache, 200);
            int[] channels = layer(cache).quantized(0).split().abnormal();
            int[][] codes =
                    StoreContents.codes(layer(cache).quantized(0).abnormal().orElseThrow());
            int[][] signs =
                    StoreContents.codes(layer(cache).quantized(0).normal().orElseThrow());
            float[][] trits = StoreContents.values(values(cache, 0).ordinary().packed(), D);
            while (cache.length() < 420) {
                steps.feed(cache, 1);
            }
            VidKeys after = layer(cache).quantized(0);
            assertThat(after.size()).isEqualTo(384);
            assertThat(after.split().abnormal()).isEqualTo(channels);
            assertThat(Arrays.copyOf(StoreContents.codes(after.abnormal().orElseThrow()), 192))
                    .isDeepEqualTo(codes);
            assertThat(Arrays.copyOf(StoreContents.codes(after.normal().orElseThrow()), 192))
                    .isDeepEqualTo(signs);
            assertThat(Arrays.copyOf(
                            StoreContents.values(values(cache, 0).ordinary().packed(), D), 192))
                    .isDeepEqualTo(trits);
        }
    }

    @Test
    void quantizingAllAgainKeepsCodesWhereTheChannelsStay() {
        // All channels of one kind: nothing can be chosen anew, so nothing may drift.
        for (String bits : new String[] {"1.0", "2.0"}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache all = create("vidkv(" + bits + ", residual=64, flush=REQUANT_ALL)", pool);
                    SequenceCache append = create("vidkv(" + bits + ", residual=64)", pool)) {
                for (int count : new int[] {200, 64, 64, 64, 64}) {
                    steps.feed(all, count);
                    steps.feed(append, count);
                }
                VidKeys a = layer(all).quantized(1);
                VidKeys b = layer(append).quantized(1);
                PackedKeys found = a.abnormal().or(a::normal).orElseThrow();
                PackedKeys expected = b.abnormal().or(b::normal).orElseThrow();
                assertThat(differing(StoreContents.codes(found), StoreContents.codes(expected)))
                        .isZero();
                assertThat(all.footprint()).isEqualTo(append.footprint());
            }
        }
    }

    private static long differing(int[][] a, int[][] b) {
        assertThat(a).hasSameDimensionsAs(b);
        long count = 0;
        for (int t = 0; t < a.length; t++) {
            for (int c = 0; c < a[t].length; c++) {
                count += a[t][c] != b[t][c] ? 1 : 0;
            }
        }
        return count;
    }

    @Test
    void quantizingAllAgainFollowsTheChannels() {
        try (PagePool pool = Steps.pool();
                SequenceCache all = create("vidkv(1.1, residual=32, flush=REQUANT_ALL)", pool);
                SequenceCache append = create("vidkv(1.1, residual=32)", pool)) {
            for (SequenceCache cache : new SequenceCache[] {all, append}) {
                feedWide(cache, 64, 7);
                feedWide(cache, 64, 40);
            }
            assertThat(layer(append).quantized(0).split().abnormal())
                    .contains(7)
                    .doesNotContain(40);
            assertThat(layer(all).quantized(0).split().abnormal()).contains(7, 40);
            assertThat(all.footprint()).isEqualTo(append.footprint());
        }
    }

    /** Feeds tokens whose keys have one channel of 20 times the range. */
    private void feedWide(SequenceCache cache, int count, int channel) {
        float[] keys = steps.states(0, cache.length(), count).keys();
        for (int t = 0; t < 2 * count; t++) {
            keys[t * D + channel] *= 20;
        }
        TokenStates made = steps.states(0, cache.length(), count);
        cache.reserve(count);
        cache.layer(0).append(new TokenStates() {
            @Override
            public int count() {
                return count;
            }

            @Override
            public int firstPosition() {
                return made.firstPosition();
            }

            @Override
            public float[] input() {
                return made.input();
            }

            @Override
            public float[] residual() {
                return made.residual();
            }

            @Override
            public float[] keysBeforeRope() {
                return made.keysBeforeRope();
            }

            @Override
            public float[] keys() {
                return keys;
            }

            @Override
            public float[] values() {
                return made.values();
            }
        });
        cache.layer(0).attend(steps.queries(0, cache.length(), count), new float[count * 2 * D]);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "vidkv",
                "vidkv(1.2, valueBits=2)",
                "vidkv(1.5, group=128, protect=0..127)",
                "vidkv(1.5, scope=head, protect=40..71+8..39+100..131)",
                "vidkv(1.5, oneBitRule=LITERAL)",
                "vidkv(1.5, flush=REQUANT_ALL)"
            })
    void allocatesWhatTheFormulaSays(String spec) {
        for (int headDim : new int[] {64, 80, 96, 128, 256}) {
            CacheShape shape = new CacheShape(2, 4, 2, headDim, 16);
            Steps made = new Steps(shape, 9);
            for (int n : headDim == 64 ? new int[] {1, 31, 32, 50, 128, 300, 1030} : new int[] {70, 330}) {
                PagePool pool = Steps.pool();
                try (SequenceCache cache = create(spec, shape, pool)) {
                    made.feed(cache, n);
                    Footprint expected = Caches.estimate(cache.spec(), shape, n);
                    assertThat(cache.footprint()).isEqualTo(expected);
                    assertThat(pool.usedBytes()).isEqualTo(expected.total());
                }
                assertThat(pool.usedBytes()).isZero();
            }
        }
    }

    /** B_K and B_V of the description, at a length that fills all pages: 160 tokens of trits, 128 of everything else. */
    @ParameterizedTest
    @CsvSource({
        "'vidkv', 4480, 2.175",
        "'vidkv(1.5, protect=0..639)', 3200, 2.265",
        "'vidkv(1.5, group=128)', 4480, 1.7063",
        "'vidkv(2, valueBits=2)', 4096, 3.0",
        "'vidkv(1, valueBits=2)', 4096, 2.25"
    })
    void allocatesThePapersBits(String spec, int tokens, double bits) {
        CacheShape shape = new CacheShape(1, 1, 1, 128, 128);
        Footprint footprint = Caches.estimate(CacheSpec.parse(spec), shape, tokens);
        assertThat(footprint.indices()).isEqualTo(16);
        assertThat(footprint.windows()).isZero();
        double found = (footprint.total() - 16) * 8.0 / (2.0 * tokens * 128);
        assertThat(found).isBetween(bits - 1e-4, bits + 1e-4);
        if (spec.equals("vidkv")) {
            // The mask of 128 channels.
            assertThat(footprint.bitsPerElement(shape, tokens)).isBetween(2.175, 2.1752);
        }
    }

    @Test
    void allChannelsOf2BitsAreKivisPerChannelCache() {
        try (PagePool pool = Steps.pool();
                SequenceCache vid = create("vidkv(2, valueBits=2, residual=64)", pool);
                SequenceCache kivi = create("kivi(v_axis=channel, residual=64)", pool)) {
            for (int count : new int[] {128, 1, 63, 64}) {
                steps.feed(vid, count);
                steps.feed(kivi, count);
            }
            for (int head = 0; head < 2; head++) {
                PackedKeys keys =
                        (PackedKeys) ((FlushingKeys) kivi.head(0, head).keys()).packed();
                PackedValues values =
                        (PackedValues) ((FlushingValues) kivi.head(0, head).values()).packed();
                PackedKeys vidKeys = layer(vid).quantized(head).abnormal().orElseThrow();
                PackedValues vidValues = values(vid, head).ordinary().packed();
                assertThat(StoreContents.codes(vidKeys)).isDeepEqualTo(StoreContents.codes(keys));
                assertThat(StoreContents.codes(vidValues)).isDeepEqualTo(StoreContents.codes(values));
                assertThat(StoreContents.keys(vidKeys, D)).isDeepEqualTo(StoreContents.keys(keys, D));
                assertThat(StoreContents.values(vidValues, D)).isDeepEqualTo(StoreContents.values(values, D));
            }
            assertThat(steps.feed(vid, 1)).isEqualTo(steps.feed(kivi, 1));
        }
    }

    @Test
    void protectedTokensAreAsGoodAsTwoBits() {
        Positions chosen = Positions.parse("32..63+100..131");
        try (PagePool pool = Steps.pool();
                SequenceCache protectedSome = create("vidkv(1.5, protect=100..131+32..63)", pool);
                SequenceCache other = create("vidkv(1.5, protect=32..63+100..131)", pool);
                SequenceCache all = create("vidkv(1.5, protect=0..319)", pool);
                SequenceCache two = create("vidkv(1.5, valueBits=2)", pool);
                SequenceCache none = create("vidkv", pool)) {
            for (int count : new int[] {250, 1, 69}) {
                float[] found = steps.feed(protectedSome, count);
                assertThat(steps.feed(other, count)).isEqualTo(found);
                assertThat(steps.feed(all, count)).isEqualTo(steps.feed(two, count));
                steps.feed(none, count);
            }
            double[][] v = VidContents.values(layer(protectedSome).head(0), D, chosen);
            double[][] ternary = VidContents.values(layer(none).head(0), D, Positions.parse(""));
            double[][] twoBits = VidContents.values(layer(two).head(0), D, Positions.parse(""));
            double inside = error(v, chosen, true);
            // The group of positions 32 to 63 is the one that plain 2 bits have there.
            assertThat(Arrays.copyOfRange(v, 32, 64)).isDeepEqualTo(Arrays.copyOfRange(twoBits, 32, 64));
            assertThat(inside).isBetween(0.9 * error(twoBits, chosen, true), 1.1 * error(twoBits, chosen, true));
            assertThat(inside).isLessThan(0.9 * error(ternary, chosen, true));
            assertThat(error(v, chosen, false))
                    .isBetween(0.95 * error(ternary, chosen, false), 1.05 * error(ternary, chosen, false));
        }
    }

    /** Squared error of the values of head 0, inside the set or outside. */
    private double error(double[][] v, Positions set, boolean inside) {
        double sum = 0;
        for (int t = 0; t < v.length; t++) {
            float[] original = steps.states(0, t, 1).values();
            for (int c = 0; c < D && set.contains(t) == inside; c++) {
                sum += (v[t][c] - original[c]) * (v[t][c] - original[c]);
            }
        }
        return sum;
    }

    @Test
    void channelsOfALayerOrOfEachHead() {
        CacheShape shape = new CacheShape(1, 4, 4, D, 8);
        Steps made = new Steps(shape, 6);
        try (PagePool pool = Steps.pool();
                SequenceCache layer = create("vidkv(1.3)", shape, pool);
                SequenceCache head = create("vidkv(1.3, scope=head)", shape, pool)) {
            made.feed(layer, 100);
            made.feed(head, 100);
            boolean different = false;
            for (int h = 1; h < 4; h++) {
                assertThat(layer(layer).quantized(h).split())
                        .isSameAs(layer(layer).quantized(0).split());
                different |= !Arrays.equals(
                        layer(head).quantized(h).split().abnormal(),
                        layer(head).quantized(0).split().abnormal());
            }
            assertThat(different).isTrue();
            assertThat(layer.footprint().indices()).isEqualTo(8);
            assertThat(head.footprint().indices()).isEqualTo(32);
            assertThat(layer(layer).quantized(0).split().abnormal()).hasSize(19);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "vidkv",
                "vidkv(1.5, protect=100..131, residual=64)",
                "vidkv(1.5, protect=3..34+200..231, flush=REQUANT_ALL, residual=32)"
            })
    void forksGoTheirOwnWays(String spec) {
        for (int length : new int[] {20, 100, 230}) {
            Steps others = new Steps(SHAPE, 22);
            PagePool pool = Steps.pool();
            try (SequenceCache cache = create(spec, pool);
                    SequenceCache twin = create(spec, pool)) {
                steps.feed(cache, length);
                steps.feed(twin, length);
                long used = pool.usedBytes();
                KvCache fork = cache.fork();
                assertThat(pool.usedBytes()).isEqualTo(used);
                for (int i = 0; i < 150; i++) {
                    others.feed(fork, 1);
                    if (i > 50) {
                        assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
                    }
                }
                fork.close();
                assertThat(pool.usedBytes())
                        .isEqualTo(cache.footprint().total() + twin.footprint().total());
            }
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "vidkv",
                "vidkv(1.25, scope=head, protect=3..34, residual=64)",
                "vidkv(2)",
                "vidkv(1.5, flush=REQUANT_ALL)"
            })
    void aSavedCacheGoesOnAsIfNothingHadHappened(String spec) throws IOException {
        for (int length : new int[] {0, 1, 63, 200}) {
            PagePool pool = Steps.pool();
            try (SequenceCache cache = create(spec, pool)) {
                if (length > 0) {
                    steps.feed(cache, length);
                    steps.feed(cache, 7);
                    cache.rollback(3);
                }
                byte[] saved = saved(cache);
                try (KvCache loaded = load(saved, pool)) {
                    assertThat(loaded.footprint()).isEqualTo(cache.footprint());
                    assertThat(saved(loaded)).isEqualTo(saved);
                    for (int i = 0; i < 140; i++) {
                        assertThat(steps.feed(loaded, 1)).isEqualTo(steps.feed(cache, 1));
                    }
                }
            }
            assertThat(pool.usedBytes()).isZero();
        }
    }

    private static byte[] saved(KvCache cache) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        cache.save(out, "model");
        return out.toByteArray();
    }

    private static KvCache load(byte[] bytes, PagePool pool) throws IOException {
        return Caches.load(new ByteArrayInputStream(bytes), "model", CacheModel.of(SHAPE), pool, Steps.sequential());
    }

    @Test
    void damagedFilesAreRefused() throws IOException {
        PagePool pool = Steps.pool();
        byte[] bytes;
        try (SequenceCache cache = create("vidkv(1.5, protect=3..34)", pool)) {
            steps.feed(cache, 70);
            bytes = saved(cache);
        }
        for (int at = 0; at < bytes.length; at += 1 + random.nextInt(300)) {
            byte[] damaged = bytes.clone();
            damaged[at] ^= (byte) (1 << random.nextInt(8));
            assertThatThrownBy(() -> load(damaged, pool)).isInstanceOf(CacheFileException.class);
            byte[] cut = Arrays.copyOf(bytes, at);
            assertThatThrownBy(() -> load(cut, pool)).isInstanceOf(CacheFileException.class);
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @Test
    void rollbackReachesWhatIsExact() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("vidkv", pool);
                SequenceCache twin = create("vidkv", pool)) {
            steps.feed(cache, 100);
            steps.feed(twin, 100);
            assertThat(cache.rollbackLimit()).isEqualTo(4);
            for (int i = 0; i < 20; i++) {
                steps.feed(cache, 1);
                steps.feed(twin, 1);
            }
            assertThat(cache.rollbackLimit()).isEqualTo(24);
            new Steps(SHAPE, 1).feed(cache, 5);
            cache.rollback(25);
            for (int i = 0; i < 20; i++) {
                steps.feed(cache, 1);
            }
            assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
            assertThat(cache.footprint()).isEqualTo(twin.footprint());
        }
    }

    @Test
    void threadsChangeNothing() {
        CacheShape shape = new CacheShape(1, 4, 2, D, 8);
        Steps made = new Steps(shape, 5);
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                SequenceCache cache = create("vidkv(1.5, protect=700..763)", shape, pool);
                KvCache parallel = Caches.create(cache.spec(), shape, pool, two)) {
            for (int count : new int[] {700, 1700, 1, 5, 1}) {
                assertThat(made.feed(parallel, count)).isEqualTo(made.feed(cache, count));
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "vidkv(2.5)|allowed are 1.0 to 2.0",
                "vidkv(0.5)|allowed are 1.0 to 2.0",
                "vidkv(valueBits=1)|1.58, 2",
                "vidkv(group=48)|32, 64, 128",
                "vidkv(residual=100)|not a multiple of group=32",
                "vidkv(residual=0)|from 32 to 8192",
                "vidkv(gamma=1.5)|0 to 1",
                "vidkv(protect=3..20)|18 positions, which is not a multiple of group=32",
                "vidkv(protect=20..3)|ends before it begins",
                "vidkv(protect=0..31+20..51)|position 20 is given twice",
                "vidkv(protect=0-31)|a multiple of group in all",
                "vidkv(flush=ALL)|APPEND, REQUANT_ALL"
            })
    void saysWhatIsWrong(String spec, String problem) {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> create(spec, pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining(problem)
                    .hasMessageNotContaining("\n");
        }
    }
}
