package dev.kvasir.cache.method.minicache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

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
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.store.KeptRows;
import dev.kvasir.cache.store.ReadBack;
import dev.kvasir.tensor.Workers;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What pairs of layers must do: numbers, retention, windows, bytes. */
class MiniCacheTest {
    /** Layers 2 and 3 are a pair. */
    private static final CacheShape SHAPE = new CacheShape(4, 4, 2, 64, 64);

    private static final String EXACT = "exact(f32)";

    private final AlikeLayers states = new AlikeLayers(SHAPE, 17, 0.6);

    private static String mini(String options) {
        return "minicache(" + options + ")";
    }

    @ParameterizedTest
    @CsvSource({
        "64, 2, 4, exact(f32), 128, 0.6, 0.05",
        "64, 1, 8, exact(f32), 0, 0.5, 0.1",
        "80, 2, 2, exact(f32), 32, 0.7, 0",
        "96, 2, 6, block(q8_0), 96, 0.6, 0.05",
        "128, 3, 3, 'kivi(bits=4, residual=32)', 64, 0.6, 0.05",
        "256, 1, 2, kivi(bits=4), 0, 0.6, 0.05",
        "64, 2, 2, kivi(bits=4), 128, 0.6, 0.05",
        "64, 2, 2, block(q4_0), 0, 0.3, 0.5"
    })
    void equalsPlainLoopsOverRestoredVectors(
            int headDim, int kvHeads, int heads, String inner, int window, double t, double gamma) {
        CacheShape shape = new CacheShape(3, heads, kvHeads, headDim, 64);
        AlikeLayers states = new AlikeLayers(shape, headDim + kvHeads, 0.6);
        PagePool pool = Steps.pool();
        try (SequenceCache cache = states.create(
                mini("inner=" + inner + ", start=0.4, window=" + window + ", t=" + t + ", gamma=" + gamma), pool)) {
            PlainMiniCache plain = new PlainMiniCache(shape, states, 1, window, t, gamma);
            for (int count : new int[] {150, 1, 1, 45, 1, 97, 1, 128, 3}) {
                boolean exact = inner.equals(EXACT);
                float[] lower = plain.expected(cache, 1, count, !exact);
                float[] upper = plain.expected(cache, 2, count, !exact);
                float[] found = states.feed(cache, count);
                Steps.assertClose(states.ofLayer(found, 1), lower, exact ? 1e-5 : 1e-3);
                Steps.assertClose(states.ofLayer(found, 2), upper, exact ? 1e-5 : 1e-3);
                plain.took(count);
                for (int side = 0; side < 2; side++) {
                    assertThat(AlikeLayers.layer(cache, 1).pair().kept().count(side, 0))
                            .isEqualTo(plain.kept(side));
                }
            }
        }
        assertThat(pool.usedBytes()).isZero();
    }

    private static float norm(float[] x) {
        double sum = 0;
        for (float number : x) {
            sum += (double) number * number;
        }
        return (float) Math.sqrt(sum);
    }

    private float[] head(int layer, int side, int head, int token) {
        float[] row = states.rows(layer, side, token, 1);
        Element.F16.round(row, 0, row.length);
        return Arrays.copyOfRange(row, head * SHAPE.headDim(), (head + 1) * SHAPE.headDim());
    }

    private static float[][] read(SequenceCache cache, int layer, int side, int head) {
        return side == 0
                ? ReadBack.keys(cache.store(layer).keys(head), SHAPE.headDim())
                : ReadBack.values(cache.store(layer).values(head), SHAPE.headDim());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "exact(f32)",
                "exact(f16)",
                "kivi(bits=4)",
                "kivi(bits=2, residual=32)",
                "block(q4_0)",
                "block(q4_0, rotate=true)",
                "turboquant(bits=4, keys=mse)",
                "turboquant(2, keys=mse, outliers=16)",
                "bfp",
                "qserve(smooth=false)"
            })
    void lengthsStayAsTheyWere(String inner) {
        for (int window : new int[] {0, 64}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = states.create(mini("inner=" + inner + ", window=" + window), pool)) {
                for (int count : new int[] {130, 1, 1, 61, 1, 70}) {
                    states.feed(cache, count);
                }
                for (int layer = 2; layer < 4; layer++) {
                    for (int side = 0; side < 2; side++) {
                        float[][] rows = read(cache, layer, side, 1);
                        for (int t = 0; t < rows.length; t++) {
                            float length = norm(head(layer, side, 1, t));
                            assertThat(norm(rows[t])).isCloseTo(length, within(1.1e-3f * length));
                        }
                    }
                }
            }
        }
    }

    @Test
    void theEndsOfTheArcAreTheLayers() {
        for (int t = 0; t < 2; t++) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = states.create(mini("inner=exact(f32), window=0, t=" + t), pool)) {
                states.feed(cache, 90);
                for (int side = 0; side < 2; side++) {
                    assertExact(read(cache, 2 + t, side, 0), 2 + t, side, 0, 5e-4);
                }
            }
        }
    }

    private void assertExact(float[][] rows, int layer, int side, int head, double tolerance) {
        for (int token = 0; token < rows.length; token++) {
            Steps.assertClose(rows[token], head(layer, side, head, token), tolerance);
        }
    }

    @Test
    void identicalLayersLoseNothing() {
        AlikeLayers same = new AlikeLayers(SHAPE, 3, 1);
        for (String t : new String[] {"0", "0.6", "1"}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = same.create(mini("inner=exact(f32), window=0, t=" + t), pool);
                    SequenceCache exact = same.create("exact(f16)", pool)) {
                for (int count : new int[] {80, 1, 1}) {
                    Steps.assertClose(same.feed(cache, count), same.feed(exact, count), 1e-3);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"token", "shared", "head"})
    void keptTokensAreExactInBothLayers(String scope) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = states.create(
                        mini("inner=block(q4_0, rotate=true), window=64, gamma=0.3, scope=" + scope), pool)) {
            for (int count : new int[] {200, 1, 1, 70, 1, 1, 100}) {
                states.feed(cache, count);
            }
            KeptTokens kept = AlikeLayers.layer(cache, 2).pair().kept();
            for (int side = 0; side < 2; side++) {
                for (int h = 0; h < 2; h++) {
                    assertThat(kept.count(side, h)).isBetween(3, 100);
                    for (int layer = 2; layer < 4; layer++) {
                        float[][] rows = read(cache, layer, side, h);
                        for (int i = 0; i < kept.count(side, h); i++) {
                            int slot = kept.slot(side, h, i);
                            assertThat(rows[slot]).containsExactly(head(layer, side, h, slot));
                        }
                    }
                }
            }
            assertThat(slots(kept, 0, 0).equals(slots(kept, 1, 0))).isEqualTo(scope.equals("shared"));
            assertThat(slots(kept, 0, 0).equals(slots(kept, 0, 1))).isEqualTo(!scope.equals("head"));
        }
    }

    private static java.util.List<Integer> slots(KeptTokens kept, int side, int head) {
        java.util.List<Integer> slots = new java.util.ArrayList<>();
        for (int i = 0; i < kept.count(side, head); i++) {
            slots.add(kept.slot(side, head, i));
        }
        return slots;
    }

    @ParameterizedTest
    @ValueSource(strings = {"range", "top", "off"})
    void tokensThatOpposeEachOtherAreKept(String retention) {
        CacheShape shape = new CacheShape(2, 1, 1, 64, 64);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = (SequenceCache) Caches.create(
                        CacheSpec.parse(mini("inner=kivi(bits=4), window=0, start=0, gamma=0, retention=" + retention)),
                        shape,
                        pool,
                        Steps.sequential())) {
            int count = 50;
            float[] a = new AlikeLayers(shape, 5, 0.6).rows(0, 0, 0, count);
            float[] c = new AlikeLayers(shape, 5, 0.6).rows(1, 0, 0, count);
            for (int token : new int[] {7, 8, 31, 49}) {
                for (int i = token * 64; i < (token + 1) * 64; i++) {
                    a[i] = Element.F16.round(a[i]);
                    c[i] = -2 * a[i];
                }
            }
            feed(cache, shape, a, c, count);
            KeptTokens kept = AlikeLayers.layer(cache, 0).pair().kept();
            assertThat(slots(kept, 0, 0)).contains(7, 8, 31, 49);
            assertThat(slots(kept, 1, 0)).contains(7, 8, 31, 49);
            float[][] lower = ReadBack.keys(cache.store(0).keys(0), 64);
            float[][] upper = ReadBack.values(cache.store(1).values(0), 64);
            for (int token : new int[] {7, 8, 31, 49}) {
                assertThat(lower[token]).containsExactly(Arrays.copyOfRange(a, token * 64, token * 64 + 64));
                assertThat(upper[token]).containsExactly(Arrays.copyOfRange(c, token * 64, token * 64 + 64));
            }
        }
    }

    /** Keys are values. */
    private static void feed(KvCache cache, CacheShape shape, float[] lower, float[] upper, int count) {
        for (int layer = 0; layer < 2; layer++) {
            float[] rows = layer == 0 ? lower : upper;
            int width = count * shape.heads() * shape.headDim();
            cache.layer(layer).append(dev.kvasir.cache.OneStep.states(cache.length(), count, rows, rows));
            cache.layer(layer).attend(dev.kvasir.cache.OneStep.queries(count, new float[width]), new float[width]);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"exact(f32)", "kivi(group=32, residual=32, dtype=f32, bits=8)"})
    void itDoesNotMatterWhetherKeysAreStoredBeforeOrAfterTheRotaryEmbedding(String inner) {
        for (String window : new String[] {"0", "32"}) {
            compareRope("window=" + window + ", inner=" + inner, inner.equals(EXACT) ? 1e-5 : 1e-2);
        }
    }

    private void compareRope(String options, double tolerance) {
        try (PagePool pool = Steps.pool();
                SequenceCache after = states.create(mini(options), pool);
                SequenceCache before = states.create(mini("rope=before, " + options), pool)) {
            for (int count : new int[] {190, 1, 1, 40, 1, 600, 1, 30, 1}) {
                Steps.assertClose(states.feed(before, count), states.feed(after, count), tolerance);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"exact(f32)", "kivi(bits=4)"})
    void withoutPairsNothingChanges(String inner) {
        for (String start : new String[] {"3", "4", "99"}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = states.create(mini("start=" + start + ", inner=" + inner), pool);
                    SequenceCache plain = states.create(inner, pool)) {
                for (int count : new int[] {200, 1, 60}) {
                    assertThat(states.feed(cache, count)).isEqualTo(states.feed(plain, count));
                }
                assertThat(cache.footprint()).isEqualTo(plain.footprint());
            }
        }
    }

    @Test
    void promptsAttendToTheirOwnExactStates() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = states.create(mini("start=0.25"), pool);
                SequenceCache exact = states.create("exact(f32)", pool)) {
            assertThat(states.feed(cache, 333)).isEqualTo(states.feed(exact, 333));
        }
    }

    /** The mean distance of outputs after a prompt from those of the exact cache. */
    private double damage(AlikeLayers of, String spec) {
        double error = 0;
        double norm = 0;
        try (PagePool pool = Steps.pool();
                SequenceCache cache = of.create(spec, pool);
                SequenceCache exact = of.create("exact(f32)", pool)) {
            of.feed(cache, 300);
            of.feed(exact, 300);
            for (int i = 0; i < 10; i++) {
                float[] found = of.feed(cache, 1);
                float[] expected = of.feed(exact, 1);
                for (int j = 0; j < found.length; j++) {
                    error += Math.pow(found[j] - expected[j], 2);
                    norm += Math.pow(expected[j], 2);
                }
            }
        }
        return Math.sqrt(error / norm);
    }

    @Test
    void morePairsLoseMore() {
        CacheShape shape = new CacheShape(8, 2, 1, 64, 64);
        AlikeLayers deep = new AlikeLayers(shape, 8, 0.6);
        double last = -1;
        for (int start : new int[] {7, 6, 4, 2}) {
            double damage = damage(deep, mini("inner=exact(f32), window=0, start=" + start));
            assertThat(damage).isGreaterThan(last);
            last = damage;
        }
    }

    @Test
    void slerpLosesLessThanTheMeanAndThanMaxNorm() {
        double slerp = damage(states, mini("inner=exact(f32), window=0"));
        assertThat(slerp).isLessThan(damage(states, mini("inner=exact(f32), window=0, merge=mean")));
        assertThat(slerp).isLessThan(damage(states, mini("inner=exact(f32), window=0, merge=max-norm")));
    }

    @Test
    void layersThatHaveNothingInCommonAreDamagedAndCanBeRefused() {
        AlikeLayers random = new AlikeLayers(SHAPE, 6, 0);
        assertThat(damage(random, mini("inner=exact(f32), window=0"))).isGreaterThan(0.3);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = random.create(mini("window=0"), pool);
                SequenceCache alike = states.create(mini("window=0, minCosine=0.3"), pool);
                SequenceCache careful = random.create(mini("window=0, minCosine=0.3"), pool)) {
            random.feed(cache, 200);
            assertThat(AlikeLayers.layer(cache, 2).pair().meanCosine(1)).isBetween(-0.05, 0.05);
            states.feed(alike, 200);
            assertThat(AlikeLayers.layer(alike, 2).pair().meanCosine(1)).isGreaterThan(0.5);
            assertThat(alike.remarks())
                    .singleElement()
                    .asString()
                    .matches("layers 2 and 3: mean cosine 0\\.[5-9]\\d\\d of keys, 0\\.[5-9]\\d\\d of values");
            assertThat(careful.remarks()).isEmpty();
            assertThatThrownBy(() -> random.feed(careful, 200))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContainingAll("layers 2 and 3", "minCosine", "0.3", "start");
        }
    }

    @Test
    void gammaBuysExactnessWithBytes() {
        double lastError = Double.POSITIVE_INFINITY;
        long lastBytes = 0;
        long exactBytes = Caches.estimateBytes(CacheSpec.parse("exact(f16)"), SHAPE, 256);
        for (String gamma : new String[] {"0", "0.05", "0.3", "0.6", "1"}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = states.create(mini("inner=exact(f16), window=0, gamma=" + gamma), pool)) {
                states.feed(cache, 256);
                double error = 0;
                for (int layer = 2; layer < 4; layer++) {
                    for (int side = 0; side < 2; side++) {
                        float[][] rows = read(cache, layer, side, 0);
                        for (int t = 0; t < rows.length; t++) {
                            float[] exact = head(layer, side, 0, t);
                            double sum = 0;
                            for (int i = 0; i < exact.length; i++) {
                                sum += Math.pow(rows[t][i] - exact[i], 2);
                            }
                            error += Math.sqrt(sum) / norm(exact);
                        }
                    }
                }
                long bytes = cache.footprint().total();
                assertThat(error).isLessThanOrEqualTo(lastError);
                assertThat(bytes).isGreaterThanOrEqualTo(lastBytes);
                lastError = error;
                lastBytes = bytes;
                if (gamma.equals("0")) {
                    assertThat(bytes).isLessThan(exactBytes);
                }
            }
        }
        assertThat(lastError).isZero();
        assertThat(lastBytes).isGreaterThan(exactBytes);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "gamma=0.4",
                "scope=shared, gamma=0.4",
                "scope=head, window=0, inner=exact(f16)",
                "retention=top, window=64, inner=block(q4_0)",
                "start=0.25, window=32, inner=kivi(bits=2, residual=32)"
            })
    void bytesAreThoseOfTheFormulaAndOfTheTokensKept(String options) {
        CacheSpec spec = CacheSpec.parse(options.isEmpty() ? "minicache" : mini(options));
        PagePool pool = Steps.pool();
        try (SequenceCache cache = states.create(spec.toString(), pool)) {
            for (int count : new int[] {1, 126, 1, 1, 300, 1, 83, 1, 1}) {
                states.feed(cache, count);
                Footprint expected = Caches.estimate(cache.spec(), SHAPE, cache.length());
                for (int layer = 0; layer < 4; layer++) {
                    if (cache.store(layer) instanceof PairLayer upper
                            && upper == upper.pair().layers().getLast()) {
                        expected = expected.plus(keptBytes(upper.pair().kept(), options.contains("head")));
                    }
                }
                assertThat(cache.footprint()).isEqualTo(expected);
                assertThat(pool.usedBytes()).isEqualTo(expected.total());
            }
        }
        assertThat(pool.usedBytes()).isZero();
    }

    private static Footprint keptBytes(KeptTokens kept, boolean byHead) {
        int heads = byHead ? 1 : 2;
        long row = KeptRows.tokenBytes(64, heads, 2);
        assertThat(row).isEqualTo(2 * heads * 64 * 2 + 4);
        long tokens = 0;
        for (int side = 0; side < 2; side++) {
            for (int h = 0; h < (byHead ? 2 : 1); h++) {
                tokens += kept.count(side, h);
            }
        }
        return new Footprint(0, 0, tokens * (row - 4), tokens * 4, 0);
    }

    @Test
    void theLowerLayerHoldsNoDirections() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = states.create(mini("window=0"), pool)) {
            states.feed(cache, 1024);
            Footprint lower = cache.store(2).footprint();
            // One F16 length for each token, head and side.
            assertThat(lower).isEqualTo(new Footprint(0, 1024 * 2 * 2 * 2, 0, 0, 0));
            assertThat(cache.store(3).footprint().codes())
                    .isEqualTo(cache.store(0).footprint().codes());
        }
    }

    @Test
    void tokensThatComeTogetherOrOneByOneAreStoredAlike() {
        try (PagePool pool = Steps.pool();
                SequenceCache prompt =
                        states.create(mini("retention=off, window=64, inner=kivi(bits=4, residual=32)"), pool);
                SequenceCache single =
                        states.create(mini("retention=off, window=64, inner=kivi(bits=4, residual=32)"), pool)) {
            states.feed(prompt, 200);
            while (single.length() < 200) {
                states.feed(single, 1);
            }
            for (int layer = 2; layer < 4; layer++) {
                for (int side = 0; side < 2; side++) {
                    assertThat(read(single, layer, side, 1)).isDeepEqualTo(read(prompt, layer, side, 1));
                }
            }
            assertThat(states.feed(single, 1)).isEqualTo(states.feed(prompt, 1));
        }
    }

    @Test
    void windowsAreExactUntilTheyAreFull() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = states.create(mini("window=96"), pool);
                SequenceCache exact = states.create("exact(f16)", pool)) {
            while (cache.length() < 96) {
                int count = Math.min(96 - cache.length(), cache.length() == 0 ? 60 : 1);
                float[] found = states.feed(cache, count);
                float[] expected = states.feed(exact, count);
                for (int layer = 2; layer < 4; layer++) {
                    assertThat(states.ofLayer(found, layer)).isEqualTo(states.ofLayer(expected, layer));
                }
            }
            assertThat(AlikeLayers.layer(cache, 2).merged()).isEqualTo(96);
            assertThat(AlikeLayers.layer(cache, 2).waiting()).isZero();
        }
    }

    @Test
    void aShareOfTheTokensIsKeptWhereThatIsTheRule() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache =
                        states.create(mini("retention=top, retainTopFraction=0.1, window=0, scope=head"), pool)) {
            for (int count : new int[] {95, 1, 1, 1, 1, 1, 200}) {
                states.feed(cache, count);
                for (int side = 0; side < 2; side++) {
                    assertThat(AlikeLayers.layer(cache, 3).pair().kept().count(side, 1))
                            .isEqualTo(cache.length() / 10);
                }
            }
        }
    }

    @Test
    void threadsDoNotMatter() {
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                SequenceCache one = states.create("minicache", pool);
                KvCache other = Caches.create(CacheSpec.parse("minicache"), SHAPE, pool, two)) {
            for (int count : new int[] {700, 1, 1, 90, 1, 700, 1}) {
                assertThat(states.feed(other, count)).isEqualTo(states.feed(one, count));
            }
        }
    }

    /** Damage with right checksums: what is read is refused in one line, or is some cache. */
    @ParameterizedTest
    @ValueSource(strings = {"inner=exact(f16), window=0, gamma=0.4", "scope=head, window=32, inner=kivi(residual=32)"})
    void damagedContentIsACacheOrAClearError(String options) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        PagePool pool = Steps.pool();
        try (SequenceCache cache = states.create(mini(options), pool)) {
            states.feed(cache, 100);
            cache.save(out, "model");
        }
        byte[] bytes = out.toByteArray();
        Random random = new Random(12);
        int refused = 0;
        for (int trial = 0; trial < 400; trial++) {
            byte[] damaged = bytes.clone();
            int at = bytes.length / 2 - 8 + random.nextInt(bytes.length / 2);
            for (int i = at; i < Math.min(at + 4, bytes.length - 8); i++) {
                damaged[i] = (byte) (random.nextBoolean() ? 0xff : random.nextInt());
            }
            CRC32C crc = new CRC32C();
            crc.update(damaged, 0, bytes.length - 8);
            ByteBuffer.wrap(damaged).putLong(bytes.length - 8, crc.getValue());
            try (KvCache read = Caches.load(
                    new ByteArrayInputStream(damaged), "model", CacheModel.of(SHAPE), pool, Steps.sequential())) {
                assertThat(read.length()).isEqualTo(100);
                states.feed(read, 3);
            } catch (CacheFileException e) {
                refused++;
                assertThat(e).hasMessageNotContaining("\n");
            }
            assertThat(pool.usedBytes()).isZero();
        }
        assertThat(refused).isLessThan(400);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "minicache(start=0.1)|from 1 on",
                "minicache(start=1.5)|from 1 on",
                "minicache(window=40)|multiple of 32",
                "minicache(t=1.1)|0 to 1",
                "minicache(gamma=2)|0 to 1",
                "minicache(inner=saq)|moves tokens",
                "minicache(inner=gear)|cannot store in gear",
                "minicache(inner=minicache)|cannot store in minicache",
                "minicache(inner=zipcache)|weighs tokens",
                "minicache(inner=turboquant, rope=before)|rope=before",
                "minicache(inner=block(rotate=true), rope=before)|rope=before",
                "minicache(inner=kivi(group=128))|does not divide"
            })
    void saysWhatCannotBe(String spec, String problem) {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> states.create(spec, pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining(problem)
                    .hasMessageNotContaining("\n");
        }
    }
}
