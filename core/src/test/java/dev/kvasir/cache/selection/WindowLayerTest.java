package dev.kvasir.cache.selection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheBudgetException;
import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrations;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Projections;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.store.RowStore;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.tensor.RotaryTable;
import dev.kvasir.tensor.Workers;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sinks and a window: what streaming and lambda share, against attention written down from the definition. */
class WindowLayerTest {
    private static final CacheShape SHAPE = new CacheShape(2, 4, 2, 32, 16);
    private final Steps steps = new Steps(SHAPE, 21);

    private static KvCache create(String spec, PagePool pool) {
        return Caches.create(CacheSpec.parse(spec), SHAPE, pool, Steps.sequential());
    }

    private static CacheModel trainedOn(int tokens) {
        return new CacheModel(
                SHAPE,
                List.of(RotaryTable.of(SHAPE.headDim(), 10_000)),
                Calibrations.NONE,
                Projections.NONE,
                tokens,
                false);
    }

    /** Rotates {@code row[d]} before RoPE to a position, in double. */
    private static double[] rotated(float[] row, int offset, int d, int position) {
        double[] out = new double[d];
        for (int i = 0; i < d / 2; i++) {
            double angle = position * Math.pow(10_000, -2.0 * i / d);
            double a = row[offset + i];
            double b = row[offset + i + d / 2];
            out[i] = a * Math.cos(angle) - b * Math.sin(angle);
            out[i + d / 2] = b * Math.cos(angle) + a * Math.sin(angle);
        }
        return out;
    }

    /** Where a query and a key stand, in RoPE. */
    private interface Places {
        int query(int p, int j);

        int key(int p, int j);
    }

    /** Outputs of layer 1 for token {@code p}, over the tokens it sees by the definition. */
    private float[] expected(int p, int sinks, int window, Places places) {
        int d = SHAPE.headDim();
        int g = SHAPE.queriesPerKvHead();
        float[] q = steps.queries(1, p, 1).queriesBeforeRope();
        float[] out = new float[SHAPE.heads() * d];
        for (int head = 0; head < SHAPE.heads(); head++) {
            List<Integer> seen = new ArrayList<>();
            List<Double> weights = new ArrayList<>();
            double total = 0;
            for (int j = 0; j <= p; j++) {
                if (j >= sinks && p - j >= window) {
                    continue;
                }
                float[] k = steps.states(1, j, 1).keysBeforeRope();
                double[] key = rotated(k, head / g * d, d, places.key(p, j));
                double[] query = rotated(q, head * d, d, places.query(p, j));
                double score = 0;
                for (int c = 0; c < d; c++) {
                    score += key[c] * query[c];
                }
                double weight = Math.exp(score / Math.sqrt(d));
                seen.add(j);
                weights.add(weight);
                total += weight;
            }
            for (int i = 0; i < weights.size(); i++) {
                float[] v = steps.states(1, seen.get(i), 1).values();
                for (int c = 0; c < d; c++) {
                    out[head * d + c] += (float) (weights.get(i) / total * v[head / g * d + c]);
                }
            }
        }
        return out;
    }

    private void check(KvCache cache, int[] chunks, int sinks, int window, Places places) {
        int width = SHAPE.heads() * SHAPE.headDim();
        Random random = new Random(3);
        for (int count : chunks) {
            int first = cache.length();
            float[] found = steps.feed(cache, count);
            for (int i = 0; i < Math.min(count, 12); i++) {
                int t = count <= 12 ? i : random.nextInt(count);
                float[] row = new float[width];
                System.arraycopy(found, (count + t) * width, row, 0, width);
                Steps.assertClose(row, expected(first + t, sinks, window, places), 2e-5);
            }
        }
    }

    private static final int[][] CHUNKS = {{130, 1, 1, 1, 40, 1}, {1, 1, 1, 47, 1, 3, 1, 100, 1}, {5, 300, 1, 1}};

    @ParameterizedTest
    @CsvSource({"4, 40, 256", "4, 40, 7", "0, 33, 32", "5, 1, 8", "70, 50, 16", "3, 64, 1"})
    void aQuerySeesExactlyTheSinksAndItsWindow(int sinks, int window, int block) {
        String options = "(" + window + ", sinks=" + sinks + ", block=" + block + ", store=exact(f32)";
        Places text = new Places() {
            @Override
            public int query(int p, int j) {
                return p;
            }

            @Override
            public int key(int p, int j) {
                return j;
            }
        };
        for (int[] chunks : CHUNKS) {
            try (PagePool pool = Steps.pool();
                    KvCache streaming = create("streaming" + options + ", positions=true)", pool);
                    KvCache lambda = create("lambda" + options + ")", pool)) {
                check(streaming, chunks, sinks, window, text);
                check(lambda, chunks, sinks, window, text);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"4, 40, 256", "4, 40, 7", "5, 1, 8", "40, 20, 256", "3, 64, 1"})
    void positionsInTheCacheAreThoseOfItsSlots(int sinks, int window, int block) {
        String options =
                "(" + window + ", sinks=" + sinks + ", block=" + block + ", store=exact(f32), positions=cache)";
        // The published way: what a query sees is laid side by side, and slots are positions.
        Places slots = new Places() {
            @Override
            public int query(int p, int j) {
                return Math.min(p, sinks + window - 1);
            }

            @Override
            public int key(int p, int j) {
                int dropped = Math.max(0, p - window + 1 - sinks);
                return j < sinks ? j : j - dropped;
            }
        };
        for (int[] chunks : CHUNKS) {
            try (PagePool pool = Steps.pool();
                    KvCache streaming = create("streaming" + options, pool);
                    KvCache lambda = create("lambda" + options, pool)) {
                check(streaming, chunks, sinks, window, slots);
                check(lambda, chunks, sinks, window, slots);
            }
        }
    }

    @Test
    void noDistanceIsGreaterThanTheModelWasTrainedOn() {
        int trained = 60;
        Places capped = new Places() {
            @Override
            public int query(int p, int j) {
                int query = j < 4 && p - j >= 40 ? Math.min(p, trained) : p;
                assertThat(query - j).isLessThanOrEqualTo(trained);
                return query;
            }

            @Override
            public int key(int p, int j) {
                return j;
            }
        };
        for (int[] chunks : CHUNKS) {
            try (PagePool pool = Steps.pool();
                    KvCache option = create("lambda(40, trained=60, store=exact(f32))", pool);
                    KvCache model = Caches.create(
                            CacheSpec.parse("lambda(40, store=exact(f32))"),
                            trainedOn(trained),
                            pool,
                            Steps.sequential())) {
                check(option, chunks, 4, 40, capped);
                check(model, chunks, 4, 40, capped);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "streaming(60, store=exact)",
                "lambda(60, store=exact)",
                "lambda(60, store=exact, positions=cache)"
            })
    void untilTheWindowIsFullItIsTheWholeCache(String spec) {
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, pool);
                KvCache whole = create("exact", pool)) {
            for (int count : new int[] {1, 40, 1, 1, 21}) {
                Steps.assertClose(steps.feed(cache, count), steps.feed(whole, count), 1e-6);
            }
            assertThat(steps.feed(cache, 1)).isNotEqualTo(steps.feed(whole, 1));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"streaming(200)", "lambda(200)", "lambda(90, sinks=11, store=block(q4_0, rotate=true))"})
    void bytesStayConstantOnceTheWindowIsFull(String spec) {
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, pool)) {
            steps.feed(cache, 204);
            Footprint full = cache.footprint();
            assertThat(full).isEqualTo(Caches.estimate(cache.spec(), SHAPE, 204));
            long used = pool.usedBytes();
            for (int count : new int[] {1, 1000, 1, 33}) {
                steps.feed(cache, count);
                assertThat(cache.footprint()).isEqualTo(full);
                assertThat(pool.usedBytes()).isEqualTo(used);
            }
        }
    }

    @Test
    void lambdaTakesFourBitsAndTwoNumbersForATokenAndHead() {
        CacheShape llama = new CacheShape(32, 32, 32, 128, 4096);
        // 2,048 slots of 139,264 bytes, whatever the length.
        for (int tokens : new int[] {2048, 5000, 1_000_000}) {
            assertThat(Caches.estimateBytes(CacheSpec.parse("lambda"), llama, tokens))
                    .isEqualTo(2048L * 139_264);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"qserve(smooth=false)", "block(q4_0)", "exact(f16)", "kivi(bits=4, k_axis=token, residual=0)"})
    void aTokenIsStoredOnceAsItsStoreWould(String store) {
        try (PagePool pool = Steps.pool();
                SequenceCache whole = (SequenceCache) create(store, pool);
                SequenceCache cache = (SequenceCache) create("lambda(50, sinks=3, store=" + store + ")", pool)) {
            float[] found = new float[32];
            float[] expected = new float[32];
            Scratch scratch = new Scratch();
            for (int count : new int[] {20, 70, 1, 1, 13}) {
                steps.feed(whole, count);
                steps.feed(cache, count);
                int seen = cache.length();
                for (int p = 0; p < seen; p++) {
                    if (p >= 3 && p < seen - 50) {
                        continue;
                    }
                    int slot = p < 3 ? p : 3 + (p - 3) % 50;
                    Head head = ((WindowLayer) cache.store(1)).head(1);
                    ((RowStore) head.keys()).row(slot, found, 0, scratch);
                    ((RowStore) whole.head(1, 1).keys()).row(p, expected, 0, scratch);
                    assertThat(found).isEqualTo(expected);
                    ((RowStore) head.values()).row(slot, found, 0, scratch);
                    ((RowStore) whole.head(1, 1).values()).row(p, expected, 0, scratch);
                    assertThat(found).isEqualTo(expected);
                }
            }
        }
    }

    @Test
    void longWindowsAgreeAcrossThreadsAndSteps() {
        CacheShape shape = new CacheShape(1, 4, 2, 64, 8);
        Steps long1 = new Steps(shape, 2);
        String spec = "streaming(3000, store=exact(f32))";
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                KvCache cache = Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential());
                KvCache parallel = Caches.create(CacheSpec.parse(spec), shape, pool, two);
                KvCache chunks = Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential())) {
            for (int count : new int[] {2900, 300, 1, 2, 1}) {
                float[] found = long1.feed(cache, count);
                assertThat(long1.feed(parallel, count)).isEqualTo(found);
                for (int done = 0; done < count; done += 151) {
                    int size = Math.min(151, count - done);
                    float[] part = new float[size * 256];
                    System.arraycopy(found, done * 256, part, 0, part.length);
                    Steps.assertClose(long1.feed(chunks, size), part, 1e-5);
                }
            }
        }
    }

    @Test
    void oneTokenIsRolledBackAndMoreWhileNothingWasOverwritten() throws IOException {
        try (PagePool pool = Steps.pool();
                KvCache cache = create("lambda(30, sinks=2)", pool);
                KvCache twin = create("lambda(30, sinks=2)", pool)) {
            steps.feed(cache, 32);
            assertThat(cache.rollbackLimit()).isEqualTo(32);
            cache.rollback(20);
            steps.feed(twin, 12);
            assertThat(cache.footprint()).isEqualTo(twin.footprint());
            steps.feed(cache, 90);
            steps.feed(twin, 90);
            assertThat(twin.rollbackLimit()).isEqualTo(1);
            new Steps(SHAPE, 77).feed(cache, 1);
            cache.rollback(1);
            assertThat(cache.rollbackLimit()).isZero();
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            cache.save(out, "m");
            try (KvCache loaded = Caches.load(
                    new ByteArrayInputStream(out.toByteArray()), "m", CacheModel.of(SHAPE), pool, Steps.sequential())) {
                assertThat(loaded.rollbackLimit()).isZero();
                float[] expected = steps.feed(twin, 1);
                assertThat(steps.feed(loaded, 1)).isEqualTo(expected);
                assertThat(steps.feed(cache, 1)).isEqualTo(expected);
            }
        }
    }

    @Test
    void aRefusedStepLeavesTheCacheAsItWas() {
        long bytes = Caches.estimateBytes(CacheSpec.parse("streaming(200)"), SHAPE, 128);
        try (PagePool small = new PagePool(bytes);
                PagePool free = Steps.pool();
                KvCache cache = create("streaming(200)", small);
                KvCache twin = create("streaming(200)", free)) {
            steps.feed(cache, 100);
            steps.feed(twin, 100);
            assertThatThrownBy(() -> cache.reserve(29)).isInstanceOf(CacheBudgetException.class);
            assertThat(small.usedBytes()).isEqualTo(bytes);
            assertThat(steps.feed(cache, 28)).isEqualTo(steps.feed(twin, 28));
        }
    }

    @Test
    void damagedFilesAreRefused() throws IOException {
        try (PagePool pool = Steps.pool();
                KvCache cache = create("lambda(30)", pool)) {
            steps.feed(cache, 50);
            WindowLayer layer = (WindowLayer) ((SequenceCache) cache).store(0);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            layer.write(new DataOutputStream(out));
            byte[] bytes = out.toByteArray();
            for (int reached : new int[] {-1, 0, 49, 52, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
                ByteBuffer.wrap(bytes).putInt(0, reached);
                try (KvCache other = create("lambda(30)", pool)) {
                    assertThatThrownBy(() -> ((SequenceCache) other)
                                    .store(0)
                                    .read(new DataInputStream(new ByteArrayInputStream(bytes)), 50))
                            .isInstanceOf(CacheFileException.class)
                            .hasMessageContaining("50 and one more");
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 80, 96, 128, 256})
    void servesAnyHeadWidth(int headDim) {
        for (int heads : new int[] {1, 4}) {
            CacheShape shape = new CacheShape(1, heads, 1, headDim, 8);
            Steps any = new Steps(shape, headDim);
            for (String spec : new String[] {"streaming(500, store=qserve(smooth=false))", "lambda(500)"}) {
                try (PagePool pool = Steps.pool();
                        KvCache cache = Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential());
                        KvCache plain = Caches.create(
                                CacheSpec.parse("qserve(smooth=false)"), shape, pool, Steps.sequential())) {
                    for (int count : new int[] {93, 1, 17, 1}) {
                        Steps.assertClose(any.feed(cache, count), any.feed(plain, count), 1e-6);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "streaming(0), at least 1",
        "'streaming(store=kivi)', overwrite one",
        "'streaming(store=gear)', cannot store in gear",
        "'streaming(store=lambda)', lets tokens go itself",
        "'lambda(100, block=0)', at least 1",
        "'lambda(100, trained=50)', at most 51"
    })
    void refusesWhatCannotBe(String spec, String reason) {
        assertThatThrownBy(() -> create(spec, Steps.pool()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(reason);
    }

    @ParameterizedTest
    @CsvSource({
        "'streaming(80)', allowed: 64",
        "'lambda(80)', at most 65",
        "'lambda(50, trained=65)', allowed: 64",
        "'lambda(62, positions=cache)', allowed: 64"
    })
    void refusesPositionsBeyondTheModels(String spec, String reason) {
        assertThatThrownBy(() -> Caches.create(CacheSpec.parse(spec), trainedOn(64), Steps.pool(), Steps.sequential()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(reason);
    }
}
