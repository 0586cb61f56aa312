package dev.kvasir.cache.method.a2ats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrated;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibration.CalibrationException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.Reads;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.lookup.LookupLayer;
import dev.kvasir.tensor.Workers;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the paper's cache must do: what is read, what that gives, bytes, errors. */
class A2AtsTest {
    private static final CacheShape SHAPE = new CacheShape(2, 6, 2, 64, 64);
    private static final Calibration CALIBRATION = calibration(SHAPE);

    private final Steps steps = new Steps(SHAPE, 31);
    private final Random random = new Random(9);

    private static Calibration calibration(CacheShape shape) {
        return Calibrated.calibration(shape, CacheSpec.parse("a2ats"));
    }

    private static SequenceCache create(String spec, CacheShape shape, Calibration calibration, PagePool pool) {
        CacheModel model = Calibrated.with(shape, OneStep.calibrations(calibration));
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential());
    }

    private static SequenceCache create(String spec, PagePool pool) {
        return create(spec, SHAPE, CALIBRATION, pool);
    }

    private static Calibration.Tensor tensor(Calibration calibration, String name) {
        return Objects.requireNonNull(calibration.tensors().get(name));
    }

    private static int codes() {
        return tensor(CALIBRATION, "codes.0").shape().get(1);
    }

    private static LookupLayer layer(KvCache cache, int layer) {
        return (LookupLayer) ((SequenceCache) cache).store(layer);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a2ats(f=1, store=exact(f32))", "a2ats(f=1, store=exact(f32), window=1, b=1, sinks=0)"})
    void readingEverythingIsTheExactCache(String spec) {
        // With b=1 the calibration must be for it.
        Calibration calibration = Calibrated.calibration(SHAPE, CacheSpec.parse(spec));
        try (PagePool pool = Steps.pool();
                KvCache exact = create("exact", pool);
                KvCache all = create(spec, SHAPE, calibration, pool)) {
            for (int count : new int[] {150, 1, 1, 40, 1, 300, 1}) {
                Steps.assertClose(steps.feed(all, count), steps.feed(exact, count), 1e-6);
            }
            assertThat(all.reads().share()).isEqualTo(1);
        }
    }

    @Test
    void shortTextsAndLongStepsAreReadAsAWhole() {
        try (PagePool pool = Steps.pool();
                KvCache exact = create("exact", pool);
                KvCache few = create("a2ats(f=0, window=40, sinks=8, store=exact(f32))", pool)) {
            for (int i = 0; i < 48; i++) {
                Steps.assertClose(steps.feed(few, 1), steps.feed(exact, 1), 1e-6);
            }
            for (int count : new int[] {100, 2, 63}) {
                Steps.assertClose(steps.feed(few, count), steps.feed(exact, count), 1e-6);
            }
            float[] found = steps.feed(few, 1);
            float[] expected = steps.feed(exact, 1);
            assertThat(found).isNotEqualTo(expected);
            assertThat(layer(few, 1).lastRead(0)).hasSize(8 + 39);
        }
    }

    /** The attended set and the outputs by plain loops and sorting, from the calibration's numbers alone. */
    @ParameterizedTest
    @CsvSource({"32, 8, 0.05", "16, 0, 0.2", "64, 30, 0.01", "1, 1, 0.5", "50, 4, 0"})
    void equalsSortingAndPlainLoops(int window, int sinks, double share) {
        String options = "window=" + window + ", sinks=" + sinks + ", f=" + share;
        for (CacheShape shape : new CacheShape[] {
            SHAPE, new CacheShape(1, 2, 2, 80, 16), new CacheShape(1, 4, 1, 128, 16), new CacheShape(1, 2, 1, 256, 16)
        }) {
            Calibration calibration = calibration(shape);
            PlainA2Ats plain = new PlainA2Ats(shape, calibration, 2048);
            Steps made = new Steps(shape, random.nextLong());
            try (PagePool pool = Steps.pool();
                    SequenceCache cache =
                            create("a2ats(store=exact(f32), " + options + ")", shape, calibration, pool)) {
                made.feed(cache, 170 + random.nextInt(60));
                for (int i = 0; i < 3; i++) {
                    int position = cache.length();
                    float[] found = made.feed(cache, 1);
                    float[] expected = new float[found.length];
                    for (int l = 0; l < shape.layers(); l++) {
                        int[][] read = plain.read(
                                made.states(l, 0, position + 1),
                                made.queries(l, position, 1),
                                l,
                                position,
                                window,
                                sinks,
                                share);
                        for (int h = 0; h < shape.kvHeads(); h++) {
                            assertThat(layer(cache, l).lastRead(h)).isEqualTo(read[h]);
                        }
                        plain.attend(
                                made.states(l, 0, position + 1),
                                made.queries(l, position, 1),
                                position,
                                read,
                                expected,
                                l * shape.heads() * shape.headDim());
                    }
                    Steps.assertClose(found, expected, 1e-5);
                    made.feed(cache, 7);
                }
            }
        }
    }

    @Test
    void sinksAndWindowAreReadBesidesEachHeadsOwnBest() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("a2ats(window=20, sinks=6, f=0.1)", pool)) {
            steps.feed(cache, 300);
            steps.feed(cache, 1);
            int wanted = (int) Math.floor(0.1 * 301);
            for (int h = 0; h < 2; h++) {
                int[] read = layer(cache, 0).lastRead(h);
                assertThat(read)
                        .contains(0, 1, 2, 3, 4, 5)
                        .contains(281, 290, 299)
                        .isSorted();
                // The step's own token is the window's twentieth.
                int beside = read.length - 6 - 19;
                assertThat(beside).isBetween(wanted, 3 * wanted);
            }
            Reads reads = cache.reads();
            assertThat(reads.steps()).isEqualTo(1);
            assertThat(reads.rowsHeld()).isEqualTo(2L * 2 * 300);
        }
    }

    /** Row by row, by codes and by code vectors. */
    @Test
    void readsAreCountedToTheByte() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("a2ats(window=20, sinks=6, f=0.1)", pool)) {
            steps.feed(cache, 300);
            assertThat(cache.reads()).isEqualTo(Reads.NONE);
            long rows = 0;
            long index = 0;
            for (int i = 0; i < 3; i++) {
                steps.feed(cache, 1);
                for (int l = 0; l < 2; l++) {
                    for (int h = 0; h < 2; h++) {
                        rows += layer(cache, l).lastRead(h).length;
                        index += 2L * (300 + i - 19 - 6);
                    }
                }
            }
            Reads reads = cache.reads();
            assertThat(reads.rowsAttended()).isEqualTo(rows);
            assertThat(reads.storeBytes()).isEqualTo(rows * 2 * 64 * 2);
            assertThat(reads.indexBytes()).isEqualTo(index);
            assertThat(reads.tableBytes()).isEqualTo(3L * 2 * 2 * codes() * 64 * 4);
            assertThat(reads.bytesPerStep())
                    .isEqualTo((reads.storeBytes() + reads.indexBytes() + reads.tableBytes()) / 3.0);
            try (KvCache fork = cache.fork()) {
                assertThat(fork.reads()).isEqualTo(Reads.NONE);
            }
        }
    }

    @Test
    void aStoreThatIsReadInRunsIsCountedInRuns() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("a2ats(window=20, sinks=6, f=0.02, store=block(q8_0))", pool)) {
            steps.feed(cache, 640);
            steps.feed(cache, 1);
            long touched = 0;
            for (int l = 0; l < 2; l++) {
                for (int h = 0; h < 2; h++) {
                    touched += 32
                            * Arrays.stream(layer(cache, l).lastRead(h))
                                    .map(slot -> slot / 32)
                                    .distinct()
                                    .count();
                }
            }
            double rowBytes = layer(cache, 0).footprint().secondTier() / 641.0 / 2;
            assertThat((double) cache.reads().storeBytes())
                    .isCloseTo(touched * rowBytes, org.assertj.core.data.Offset.offset(2.0));
        }
    }

    @Test
    void bytesAreTheCodesAndTheWholeCacheInItsTier(@TempDir Path folder) throws IOException {
        for (boolean file : new boolean[] {false, true}) {
            String spec = "a2ats(tier=" + (file ? "\"" + folder + "\"" : "ram") + ")";
            PagePool pool = Steps.pool();
            try (KvCache cache = create(spec, pool)) {
                for (int count : new int[] {1, 63, 1, 447, 1, 700}) {
                    steps.feed(cache, count);
                    Footprint found = cache.footprint();
                    int tokens = cache.length();
                    assertThat(found).isEqualTo(Caches.estimate(cache.spec(), SHAPE, tokens));
                    assertThat(found.indices()).isEqualTo(2L * 2 * 1024 * Math.ceilDiv(tokens, 512));
                    assertThat(found.firstTier()).isEqualTo(found.indices());
                    assertThat(found.secondTier()).isEqualTo(2L * 2 * 64 * 2 * 64 * 2 * Math.ceilDiv(tokens, 64));
                    assertThat(pool.usedBytes()).isEqualTo(file ? found.firstTier() : found.total());
                }
                // Whole pages of 64 rows and of 512 codes: 16 bits in the second tier, 0.125 in the first, for heads of
                // 64.
                steps.feed(cache, 1536 - cache.length());
                assertThat(cache.footprint().bitsPerElement(SHAPE, 1536)).isEqualTo(16.125);
                assertThat(cache.footprint().firstTierBitsPerElement(SHAPE, 1536))
                        .isEqualTo(0.125);
            }
            assertThat(pool.usedBytes()).isZero();
            try (var left = Files.list(folder)) {
                assertThat(left).isEmpty();
            }
        }
    }

    @Test
    void aFileServesAsMemoryDoes(@TempDir Path folder) throws IOException {
        try (PagePool pool = Steps.pool();
                KvCache memory = create("a2ats(window=16)", pool)) {
            KvCache file = create("a2ats(window=16, tier=\"" + folder.resolve("x") + "\")", pool);
            for (int count : new int[] {200, 1, 30, 1}) {
                assertThat(steps.feed(file, count)).isEqualTo(steps.feed(memory, count));
            }
            try (KvCache fork = file.fork();
                    KvCache twin = memory.fork()) {
                file.rollback(100);
                memory.rollback(100);
                assertThat(steps.feed(fork, 1)).isEqualTo(steps.feed(twin, 1));
                assertThat(steps.feed(file, 1)).isEqualTo(steps.feed(memory, 1));
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                file.save(out, "m");
                file.close();
                assertThat(steps.feed(fork, 1)).isEqualTo(steps.feed(twin, 1));
                try (KvCache loaded = Caches.load(
                        new ByteArrayInputStream(out.toByteArray()),
                        "m",
                        Calibrated.with(SHAPE, OneStep.calibrations(CALIBRATION)),
                        pool,
                        Steps.sequential())) {
                    assertThat(steps.feed(loaded, 1)).isEqualTo(steps.feed(memory, 1));
                }
            }
            try (var left = Files.list(folder)) {
                assertThat(left).isEmpty();
            }
        }
    }

    @Test
    void threadsDoNotMatter() {
        CacheModel model = Calibrated.with(SHAPE, OneStep.calibrations(CALIBRATION));
        CacheSpec spec = CacheSpec.parse("a2ats(window=16)");
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                KvCache one = Caches.create(spec, model, pool, Steps.sequential());
                KvCache other = Caches.create(spec, model, pool, two)) {
            for (int count : new int[] {700, 1, 300, 1, 1}) {
                assertThat(steps.feed(other, count)).isEqualTo(steps.feed(one, count));
            }
        }
    }

    @Test
    void codesDoNotDependOnHowTokensCome() {
        try (PagePool pool = Steps.pool();
                KvCache whole = create("a2ats", pool);
                KvCache parts = create("a2ats", pool)) {
            steps.feed(whole, 200);
            for (int count : new int[] {1, 1, 5, 60, 1, 3, 129}) {
                steps.feed(parts, count);
            }
            for (int h = 0; h < 2; h++) {
                CodeIndex one = (CodeIndex) layer(whole, 1).index().orElseThrow();
                CodeIndex other = (CodeIndex) layer(parts, 1).index().orElseThrow();
                for (int t = 0; t < 200; t++) {
                    assertThat(other.code(h, t)).isEqualTo(one.code(h, t));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "kivi(residual=32)",
                "block(q5_0)",
                "gear(group=32)",
                "saq(segment=32)",
                "turboquant",
                "bfp",
                "qserve(smooth=false)",
                "rotatekv(reorder=off)",
                "exact(bf16)"
            })
    void anyStoreThatKeepsEveryTokenServes(String store) {
        try (PagePool pool = Steps.pool();
                KvCache alone = create(store, pool);
                KvCache behind = create("a2ats(f=0.999, window=1, sinks=0, b=2048, store=" + store + ")", pool);
                KvCache few = create("a2ats(f=0.1, window=16, store=" + store + ")", pool)) {
            for (int count : new int[] {90, 1, 50, 1, 1}) {
                float[] expected = steps.feed(alone, count);
                // All but the one token whose code scores worst: what is read is as it is stored.
                Steps.assertClose(steps.feed(behind, count), expected, 0.05);
                if (count > 1) {
                    Steps.assertClose(steps.feed(few, count), expected, 1e-6);
                } else {
                    steps.feed(few, count);
                }
            }
            assertThat(few.footprint().secondTier())
                    .isEqualTo(Caches.estimateBytes(alone.spec(), SHAPE, alone.length()));
            assertThat(few.reads().share()).isLessThan(0.6);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "a2ats(store=mikv)|cannot store in mikv",
                "a2ats(store=a2ats)|cannot store in a2ats",
                "a2ats(store=h2o)|cannot store in h2o",
                "a2ats(window=0)|allowed: 1 and more",
                "a2ats(b=10)|nearer than the window of 64",
                "a2ats(f=1.5)|allowed: 0 to 1",
                "a2ats(codes=8)|allowed: 0, 16 to 65536",
                "a2ats(tier=/no/such/folder/here)|no folder /no/such/folder"
            })
    void saysWhatCannotBe(String spec, String problem) {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> create(spec, pool))
                    .isInstanceOf(dev.kvasir.KvasirException.class)
                    .hasMessageContaining(problem);
        }
    }

    @Test
    void calibrationsOfAnotherKindAreRefused() {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> create("a2ats(metric=plain)", pool))
                    .isInstanceOf(CalibrationException.class)
                    .hasMessageContaining("metric is query, expected plain");
            assertThatThrownBy(() -> create("a2ats(b=512)", pool)).hasMessageContaining("b is 2048, expected 512");
            assertThatThrownBy(() -> create("a2ats(codes=64)", pool))
                    .isInstanceOf(CalibrationException.class)
                    .hasMessageContaining("code vectors of a head, expected 64");
            assertThatThrownBy(() -> create("a2ats", new CacheShape(2, 4, 4, 64, 64), CALIBRATION, pool))
                    .isInstanceOf(CalibrationException.class);
            Map<String, Calibration.Tensor> tensors = new HashMap<>(CALIBRATION.tensors());
            float[] zeros = new float[2 * 64 * 65 / 2];
            tensors.put("metric.1", Calibration.Tensor.of(zeros, 2, 64 * 65 / 2));
            Calibration damaged = new Calibration("a2ats", CALIBRATION.options(), "made-up", tensors);
            assertThatThrownBy(() -> create("a2ats", SHAPE, damaged, pool)).hasMessageContaining("on the diagonal");
        }
    }

    @Test
    void tooFewTokensToLearnFromAreRefused() {
        assertThatThrownBy(() -> Calibrated.calibration(SHAPE, CacheSpec.parse("a2ats(codes=1024)")))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("codes=1024", "300 tokens");
    }

    @Test
    void savedCodesOfAnotherCodebookAreRefused() throws IOException {
        Calibration other = Calibrated.calibration(SHAPE, CacheSpec.parse("a2ats(codes=32)"));
        assertThat(codes()).isEqualTo(16);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (PagePool pool = Steps.pool();
                KvCache cache = create("a2ats", SHAPE, other, pool)) {
            steps.feed(cache, 100);
            cache.save(out, "m");
        }
        PagePool pool = Steps.pool();
        assertThatThrownBy(() -> Caches.load(
                        new ByteArrayInputStream(out.toByteArray()),
                        "m",
                        Calibrated.with(SHAPE, OneStep.calibrations(CALIBRATION)),
                        pool,
                        Steps.sequential()))
                .isInstanceOf(CacheFileException.class)
                .hasMessageContaining("another calibration");
        assertThat(pool.usedBytes()).isZero();
    }

    @Test
    void equalTextsGiveEqualCalibrations() {
        Calibration again = calibration(SHAPE);
        for (String name : CALIBRATION.tensors().keySet()) {
            assertThat(tensor(again, name).data())
                    .isEqualTo(tensor(CALIBRATION, name).data());
        }
    }

    /** Everything attended and nothing else: what is dropped changes the output by at most its mass. */
    @Test
    void outputErrorIsBoundedByTheMassDroppedWhichFallsAsTheShareGrows() {
        PlainA2Ats plain = new PlainA2Ats(SHAPE, CALIBRATION, 2048);
        double[] shares = {0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8};
        double[] divergences = new double[shares.length];
        try (PagePool pool = Steps.pool();
                KvCache exact = create("exact", pool)) {
            steps.feed(exact, 400);
            for (int position = 400; position < 408; position++) {
                float[] truth = steps.feed(exact, 1);
                TokenStates states = steps.states(0, 0, position + 1);
                Queries queries = steps.queries(0, position, 1);
                double[] before = new double[SHAPE.heads()];
                for (int s = 0; s < shares.length; s++) {
                    int[][] read = plain.read(states, queries, 0, position, 16, 4, shares[s]);
                    float[] out = new float[SHAPE.heads() * 64];
                    double[] mass = plain.attend(states, queries, position, read, out, 0);
                    for (int head = 0; head < SHAPE.heads(); head++) {
                        assertThat(mass[head]).isGreaterThanOrEqualTo(before[head] - 1e-12);
                        before[head] = mass[head];
                        divergences[s] += -Math.log(mass[head]);
                        double bound = 2 * (1 - mass[head]) * plain.largestValue(states, position, head / 3) + 1e-5;
                        double error = 0;
                        for (int c = 0; c < 64; c++) {
                            error = Math.max(error, Math.abs(out[head * 64 + c] - (double) truth[head * 64 + c]));
                        }
                        assertThat(error).isLessThanOrEqualTo(bound);
                    }
                }
            }
        }
        // The divergence of attention from what is attended, -log of the mass kept.
        for (int s = 1; s < shares.length; s++) {
            assertThat(divergences[s]).isLessThanOrEqualTo(divergences[s - 1]);
        }
        assertThat(divergences[shares.length - 1]).isLessThan(0.3 * divergences[0]);
    }

    @Test
    void theChosenSetIsASubsetOfWhatIsThere() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("a2ats(window=16, f=0.3)", pool)) {
            steps.feed(cache, 100);
            cache.rollback(60);
            for (int i = 0; i < 30; i++) {
                steps.feed(cache, 1);
                TreeSet<Integer> read = new TreeSet<>();
                Arrays.stream(layer(cache, 0).lastRead(1)).forEach(read::add);
                assertThat(read.isEmpty() ? 0 : read.last()).isLessThan(40 + i);
            }
        }
    }
}
