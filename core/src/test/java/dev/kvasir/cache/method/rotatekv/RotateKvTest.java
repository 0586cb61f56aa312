package dev.kvasir.cache.method.rotatekv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibration.CalibrationException;
import dev.kvasir.cache.Calibration.Tensor;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Calibrator.Sensitivity;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.KeyTiles;
import dev.kvasir.cache.store.ReadBack;
import dev.kvasir.cache.store.RotatingKeys;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.StoreContents;
import dev.kvasir.cache.transform.GroupedHadamard;
import dev.kvasir.tensor.RotaryTable;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What RotateKV must do: bases, sinks, prompts in pieces, calibrations. Errors and bits are in {@link RotateKvErrorTest}. */
class RotateKvTest {
    private static final CacheShape SHAPE = new CacheShape(2, 8, 4, 32, 48);
    private final Random random = new Random(6);
    private final RotateKvSteps steps = new RotateKvSteps(SHAPE, 3, true, Set.of(0, 40));

    static int[] shuffled(int channels, Random random) {
        List<Integer> order = new ArrayList<>();
        for (int c = 0; c < channels; c++) {
            order.add(c);
        }
        Collections.shuffle(order, random);
        return order.stream().mapToInt(Integer::intValue).toArray();
    }

    /** A calibration of random orders for a rotation of {@code heads} heads. */
    private static Calibration shuffledOrders(CacheShape shape, int heads, String position) {
        int[][] orders = new int[shape.layers()][];
        for (int layer = 0; layer < orders.length; layer++) {
            orders[layer] = shuffled(shape.kvHeads() * shape.headDim(), new Random(layer));
        }
        return new Calibration(
                "rotatekv",
                Map.of("headsPerRotation", Integer.toString(heads), "rotatePosition", position),
                "model",
                Map.of("order.signed", ChannelOrder.tensor(orders), "order.abs", ChannelOrder.tensor(orders)));
    }

    private static CacheModel model(CacheShape shape, Calibration calibration) {
        return new CacheModel(shape, RotaryTable.of(shape.headDim(), 10_000), OneStep.calibrations(calibration));
    }

    private static SequenceCache create(String spec, CacheShape shape, Calibration calibration, PagePool pool) {
        return (SequenceCache)
                Caches.create(CacheSpec.parse(spec), model(shape, calibration), pool, Steps.sequential());
    }

    private SequenceCache create(String spec, PagePool pool) {
        return create(spec, SHAPE, shuffledOrders(SHAPE, 4, "pre"), pool);
    }

    static RotateKvLayer layer(SequenceCache cache, int layer) {
        return (RotateKvLayer) cache.store(layer);
    }

    private static Set<Integer> sinks(SequenceCache cache, int layer) {
        Set<Integer> slots = new TreeSet<>();
        for (int i = 0; i < layer(cache, layer).sinks().count(); i++) {
            slots.add(layer(cache, layer).sinks().slot(i));
        }
        return slots;
    }

    @ParameterizedTest
    @CsvSource({"8, 128, 4", "2, 64, 2", "3, 96, 1", "4, 80, 4", "8, 256, 8", "1, 64, 1"})
    void whatIsNotQuantizedComesBack(int kvHeads, int headDim, int group) {
        int channels = kvHeads * headDim;
        KeyBasis basis = new KeyBasis(new GroupedHadamard(group, headDim), shuffled(channels, random));
        CacheShape shape = new CacheShape(1, kvHeads, kvHeads, headDim, 64);
        RotateKvSteps model = new RotateKvSteps(shape, 5);
        float[] rows = model.keysBeforeRope(0, 64, 32);
        float[] expected = model.rope(rows, 64);
        basis.apply(rows, 32);
        KeyTiles tiles = new KeyTiles() {
            @Override
            public int size() {
                return 96;
            }

            @Override
            public float factor() {
                return basis.factor();
            }

            @Override
            public void restore(int slot, float[] tile, Scratch scratch) {
                for (int i = 0; i < rows.length; i++) {
                    tile[basis.order()[i % channels] * 32 + i / channels] = rows[i];
                }
                basis.invert(tile);
            }
        };
        RotatingKeys rotating = new RotatingKeys(Kernels.best(), RotaryTable.of(headDim, 10_000), tiles, kvHeads);
        for (int head = 0; head < kvHeads; head++) {
            float[][] found = ReadBack.keys(rotating.head(head), headDim);
            for (int t = 64; t < 96; t++) {
                for (int c = 0; c < headDim; c++) {
                    float wanted = expected[(t - 64) * channels + head * headDim + c];
                    assertThat(found[t][c]).isCloseTo(wanted, within(1e-5f * (1 + Math.abs(wanted))));
                }
            }
        }
    }

    @Test
    void theBasisIsTheDenseMatrixThenTheOrder() {
        int[] order = shuffled(512, random);
        float[] row = new RotateKvSteps(new CacheShape(1, 4, 4, 128, 8), 1).keysBeforeRope(0, 0, 1);
        double[] exact = new double[512];
        for (int c = 0; c < 512; c++) {
            exact[c] = row[c];
        }
        double[] dense = RotateKvReference.hadamard(exact, 512);
        new KeyBasis(new GroupedHadamard(4, 128), order).apply(row, 1);
        for (int j = 0; j < 512; j++) {
            assertThat((double) row[j]).isCloseTo(dense[order[j]], within(1e-5));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "4, 4, 32, '', 4, pre, 2, 20",
        "8, 2, 64, 'groupSize=32', 2, pre, 2, 20",
        "8, 1, 128, 'groupSize=128', 1, pre, 3, 20",
        "8, 1, 128, 'groupSize=128', 1, pre, 3, 0",
        "3, 3, 64, '', 1, pre, 4, 0",
        "8, 4, 64, 'headsPerRotation=2', 2, pre, 2, 7",
        "4, 4, 32, '', 4, post, 2, 20"
    })
    void isTheReferenceForAnyLength(
            int heads, int kvHeads, int headDim, String options, int group, String position, int bits, int sinks) {
        CacheShape shape = new CacheShape(1, heads, kvHeads, headDim, 40);
        RotateKvSteps model = new RotateKvSteps(shape, 8, true, Set.of(0, 17));
        Calibration calibration = shuffledOrders(shape, group, position);
        String spec = "rotatekv(paramFormat=f16, bits=" + bits + ", sinkEntries=" + sinks + ", rotatePosition="
                + position + (options.isEmpty() ? "" : ", " + options) + ")";
        int groupSize = options.startsWith("groupSize") ? Integer.parseInt(options.substring(10)) : headDim;
        int[][] orders = {shuffled(kvHeads * headDim, new Random(0))};
        RotateKvReference reference = new RotateKvReference(
                shape, model, orders, group, position.equals("pre"), bits, groupSize, bits == 2 ? 0.8 : 1, sinks);
        // An exact value rotated in floats may round to another F16 than one rotated in doubles.
        double tolerance = sinks == 0 ? 1e-5 : 3e-5;
        for (int prompt : new int[] {1, 31, 64, 97}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = create(spec, shape, calibration, pool)) {
                float[] found = model.feed(cache, prompt);
                Set<Integer> exact = reference.sinks(0, prompt);
                assertThat(sinks(cache, 0)).isEqualTo(exact);
                double[][] keys = reference.keys(0, prompt + 3, exact);
                double[][] values = reference.values(0, prompt + 3, exact);
                Steps.assertClose(last(found, prompt), reference.attend(0, prompt - 1, keys, values), tolerance);
                for (int t = prompt; t < prompt + 3; t++) {
                    Steps.assertClose(model.feed(cache, 1), reference.attend(0, t, keys, values), tolerance);
                }
            }
        }
    }

    private static float[] last(float[] outputs, int count) {
        int row = outputs.length / count;
        return Arrays.copyOfRange(outputs, outputs.length - row, outputs.length);
    }

    @Test
    void everyTokenOfAPromptSeesThePromptAsStored() {
        CacheShape shape = new CacheShape(1, 4, 4, 32, 40);
        RotateKvSteps model = new RotateKvSteps(shape, 8);
        RotateKvReference reference =
                new RotateKvReference(shape, model, ChannelOrder.none(shape), 4, true, 2, 32, 0.8, 20);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(
                        "rotatekv(reorder=off, paramFormat=f16)", shape, shuffledOrders(shape, 4, "pre"), pool)) {
            float[] found = model.feed(cache, 70);
            Set<Integer> exact = reference.sinks(0, 70);
            double[][] keys = reference.keys(0, 70, exact);
            double[][] values = reference.values(0, 70, exact);
            for (int t = 0; t < 70; t++) {
                float[] row = Arrays.copyOfRange(found, t * 128, (t + 1) * 128);
                Steps.assertClose(row, reference.attend(0, t, keys, values), 1e-5);
            }
        }
    }

    @Test
    void aPromptMaySeeItselfExactlyButADecodedTokenSeesItsCodes() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("rotatekv(quantizedPrefill=false)", pool);
                SequenceCache quantized = create("rotatekv", pool);
                KvCache exact = Caches.create(CacheSpec.parse("exact"), SHAPE, pool, Steps.sequential())) {
            assertThat(cache.storesFirst(90)).isFalse();
            assertThat(quantized.storesFirst(90)).isTrue();
            float[] prompt = steps.feed(exact, 90);
            Steps.assertClose(steps.feed(cache, 90), prompt, 1e-6);
            assertThat(steps.feed(quantized, 90)).isNotEqualTo(prompt);
            assertThat(cache.storesFirst(1)).isTrue();
            for (int i = 0; i < 5; i++) {
                assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(quantized, 1));
            }
            // Not a prompt again: several tokens may be a guess that is being checked.
            assertThat(cache.storesFirst(6)).isTrue();
            assertThat(steps.feed(cache, 6)).isEqualTo(steps.feed(quantized, 6));
        }
    }

    @Test
    void codesDoNotDependOnTheSteps() {
        try (PagePool pool = Steps.pool();
                SequenceCache prompt = create("rotatekv", pool);
                SequenceCache single = create("rotatekv", pool);
                SequenceCache mixed = create("rotatekv", pool)) {
            steps.feed(prompt, 200);
            while (single.length() < 200) {
                steps.feed(single, 1);
            }
            while (mixed.length() < 200) {
                steps.feed(mixed, Math.min(200 - mixed.length(), 1 + random.nextInt(60)));
            }
            for (int l = 0; l < SHAPE.layers(); l++) {
                RotateKvLayer expected = layer(prompt, l);
                for (SequenceCache other : List.of(single, mixed)) {
                    assertThat(StoreContents.keys(layer(other, l).packedKeys().packed(), steps.width()))
                            .isDeepEqualTo(
                                    StoreContents.keys(expected.packedKeys().packed(), steps.width()));
                    assertThat(StoreContents.values(layer(other, l).packedValues(), steps.width()))
                            .isDeepEqualTo(StoreContents.values(expected.packedValues(), steps.width()));
                }
            }
        }
    }

    @Test
    void aMassiveTokenIsExactInEveryLayer() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("rotatekv", pool)) {
            steps.feed(cache, 100);
            steps.feed(cache, 1);
            for (int l = 0; l < SHAPE.layers(); l++) {
                assertThat(sinks(cache, l)).contains(0, 40).hasSizeLessThanOrEqualTo(20);
                for (int token : sinks(cache, l)) {
                    assertExact(cache, l, token);
                }
            }
        }
    }

    private void assertExact(SequenceCache cache, int l, int token) {
        float[] key = steps.states(l, token, 1).keys();
        float[] value = steps.values(l, token, 1);
        for (int head = 0; head < SHAPE.kvHeads(); head++) {
            KeyReader keys = cache.store(l).keys(head);
            float[] found = ReadBack.keys(keys, 32)[token];
            float[] foundValue = ReadBack.values(cache.store(l).values(head), 32)[token];
            for (int c = 0; c < 32; c++) {
                float wanted = key[head * 32 + c];
                assertThat(found[c]).isEqualTo(Float.float16ToFloat(Float.floatToFloat16(wanted)));
                // F16 in the rotated basis: what is lost there is spread over the channels.
                assertThat(foundValue[c]).isCloseTo(value[head * 32 + c], within(2e-3f));
            }
        }
    }

    @Test
    void decodedTokensAreNeverSinks() {
        RotateKvSteps late = new RotateKvSteps(SHAPE, 3, true, Set.of(51, 55, 60));
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("rotatekv", pool)) {
            late.feed(cache, 50);
            Set<Integer> prompt = sinks(cache, 0);
            late.feed(cache, 1);
            late.feed(cache, 1);
            late.feed(cache, 20);
            assertThat(sinks(cache, 0)).isEqualTo(prompt).allMatch(token -> token < 50);
        }
    }

    @Test
    void sinksOfAPromptDoNotDependOnHowItIsCut() {
        RotateKvSteps model = new RotateKvSteps(SHAPE, 3, true, Set.of(0, 40, 130, 131));
        try (PagePool pool = Steps.pool();
                SequenceCache whole = create("rotatekv", pool)) {
            model.feed(whole, 150);
            for (int chunk : new int[] {2, 7, 64, 149}) {
                try (SequenceCache cut = create("rotatekv", pool)) {
                    while (cut.length() < 148) {
                        model.feed(cut, Math.min(chunk, 148 - cut.length()));
                    }
                    model.feed(cut, 2);
                    for (int l = 0; l < SHAPE.layers(); l++) {
                        assertThat(sinks(cut, l)).isEqualTo(sinks(whole, l)).contains(130, 131);
                    }
                    try (KvCache twin = whole.fork()) {
                        assertThat(model.feed(cut, 1)).isEqualTo(model.feed(twin, 1));
                    }
                }
            }
        }
    }

    @Test
    void sinksThatLeaveAForkStayInTheOther() {
        RotateKvSteps louder = new RotateKvSteps(SHAPE, 4, true, Set.of(61, 62, 63, 64, 65, 66, 67, 68));
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("rotatekv(sinkEntries=6)", pool);
                SequenceCache twin = create("rotatekv(sinkEntries=6)", pool)) {
            steps.feed(cache, 60);
            steps.feed(twin, 60);
            Set<Integer> before = sinks(cache, 1);
            try (SequenceCache fork = (SequenceCache) cache.fork()) {
                louder.feed(fork, 10);
                assertThat(sinks(fork, 1)).hasSizeLessThanOrEqualTo(6).containsAnyOf(61, 62, 63, 64, 65, 66, 67, 68);
                assertThat(before).anyMatch(token -> !sinks(fork, 1).contains(token));
            }
            assertThat(sinks(cache, 1)).isEqualTo(before);
            assertThat(steps.feed(cache, 3)).isEqualTo(steps.feed(twin, 3));
        }
    }

    @Test
    void rollsBackOnlyWhereTheSinksStayThoseOfTheRest() {
        RotateKvSteps model = new RotateKvSteps(SHAPE, 3, true, Set.of(0, 40));
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("rotatekv(sinkEntries=2)", pool);
                SequenceCache shorter = create("rotatekv(sinkEntries=2)", pool)) {
            model.feed(cache, 100);
            model.feed(cache, 1);
            assertThat(cache.rollbackLimit()).isEqualTo(101 - 41);
            assertThatThrownBy(() -> cache.rollback(61)).isInstanceOf(InvalidInputException.class);
            cache.rollback(51);
            model.feed(shorter, 50);
            assertThat(sinks(cache, 0)).isEqualTo(sinks(shorter, 0));
            // Back inside the prompt: what follows belongs to it again.
            assertThat(model.feed(cache, 30)).isEqualTo(model.feed(shorter, 30));
            assertThat(model.feed(cache, 1)).isEqualTo(model.feed(shorter, 1));
            assertThat(cache.footprint()).isEqualTo(shorter.footprint());
        }
    }

    @Test
    void isSavedWithItsSinksAndRefusesAnotherOrder() throws IOException {
        Calibration calibration = shuffledOrders(SHAPE, 4, "pre");
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("rotatekv", pool)) {
            steps.feed(cache, 77);
            byte[] saved = saved(cache);
            try (KvCache loaded = load(saved, calibration, pool)) {
                assertThat(sinks((SequenceCache) loaded, 1)).isEqualTo(sinks(cache, 1));
                assertThat(loaded.footprint()).isEqualTo(cache.footprint());
                assertThat(loaded.rollbackLimit()).isEqualTo(cache.rollbackLimit());
                assertThat(steps.feed(loaded, 30)).isEqualTo(steps.feed(cache, 30));
                assertThat(steps.feed(loaded, 1)).isEqualTo(steps.feed(cache, 1));
                assertThat(saved((SequenceCache) loaded)).isEqualTo(saved(cache));
            }
            Tensor other = ChannelOrder.tensor(ChannelOrder.none(SHAPE));
            Calibration changed = new Calibration(
                    "rotatekv", calibration.options(), "model", Map.of("order.signed", other, "order.abs", other));
            assertThatThrownBy(() -> load(saved, changed, pool))
                    .isInstanceOf(CacheFileException.class)
                    .hasMessageContaining("another calibration");
        }
    }

    private static byte[] saved(SequenceCache cache) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        cache.save(out, "model");
        return out.toByteArray();
    }

    private static KvCache load(byte[] saved, Calibration calibration, PagePool pool) throws IOException {
        return Caches.load(
                new ByteArrayInputStream(saved), "model", model(SHAPE, calibration), pool, Steps.sequential());
    }

    @Test
    void threadsDoNotMatter() {
        try (PagePool pool = Steps.pool();
                var two = Steps.twoThreads();
                SequenceCache one = create("rotatekv", pool);
                KvCache other = Caches.create(
                        CacheSpec.parse("rotatekv"), model(SHAPE, shuffledOrders(SHAPE, 4, "pre")), pool, two)) {
            for (int count : new int[] {300, 700, 1, 1, 6, 1}) {
                assertThat(steps.feed(other, count)).isEqualTo(steps.feed(one, count));
            }
        }
    }

    @Test
    void calibrationOrdersChannelsByTheirMeans() {
        CacheModel model = CacheModel.of(SHAPE);
        Calibrator calibrator = Caches.calibrator(CacheSpec.parse("rotatekv"), model, "print");
        assertThat(calibrator.passes()).isEqualTo(1);
        for (int first : new int[] {0, 0}) {
            for (int l = 0; l < SHAPE.layers(); l++) {
                calibrator.see(l, steps.states(l, first, 150), OneStep.queries(0, new float[0]), Sensitivity.NONE);
            }
        }
        Calibration made = calibrator.finish();
        assertThat(made.fingerprint()).isEqualTo("print");
        for (int l = 0; l < SHAPE.layers(); l++) {
            double[] signed = new double[128];
            double[] magnitudes = new double[128];
            for (int t = 0; t < 150; t++) {
                double[] row = new double[128];
                float[] key = steps.keysBeforeRope(l, t, 1);
                for (int c = 0; c < 128; c++) {
                    row[c] = key[c];
                }
                double[] rotated = RotateKvReference.hadamard(row, 128);
                for (int c = 0; c < 128; c++) {
                    signed[c] += rotated[c];
                    magnitudes[c] += Math.abs(rotated[c]);
                }
            }
            assertAscending(made.data("order.signed", 2, 128), l, signed);
            assertAscending(made.data("order.abs", 2, 128), l, magnitudes);
        }
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("rotatekv", SHAPE, made, pool)) {
            steps.feed(cache, 5);
        }
    }

    private static void assertAscending(float[] orders, int layer, double[] sums) {
        for (int j = 1; j < sums.length; j++) {
            double before = sums[(int) orders[layer * sums.length + j - 1]];
            assertThat(before).isLessThanOrEqualTo(sums[(int) orders[layer * sums.length + j]] + 1e-3);
        }
    }

    @Test
    void equalChannelsStayInTheirOrder() {
        assertThat(ChannelOrder.ascending(new double[] {2, 1, 2, -3, 1})).containsExactly(3, 1, 4, 0, 2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"twice", "beyond", "negative", "fraction", "missing", "shape", "heads", "position"})
    void refusesABadCalibration(String problem) {
        Calibration good = shuffledOrders(SHAPE, 4, "pre");
        float[] order = good.data("order.signed", 2, 128).clone();
        String expected = "layer 1, place 3";
        switch (problem) {
            case "twice" -> order[128 + 3] = order[128 + 2];
            case "beyond" -> order[128 + 3] = 128;
            case "negative" -> order[128 + 3] = -1;
            case "fraction" -> order[128 + 3] += 0.5f;
            case "missing" -> expected = "order.abs is missing";
            case "shape" -> expected = "expected [2, 128]";
            case "heads" -> expected = "headsPerRotation is 4, expected 2";
            default -> expected = "rotatePosition is pre, expected post";
        }
        Tensor tensor = problem.equals("shape") ? Tensor.of(order, 1, 256) : Tensor.of(order, 2, 128);
        Calibration bad = new Calibration("rotatekv", good.options(), "model", Map.of("order.signed", tensor));
        String spec = switch (problem) {
            case "missing" -> "rotatekv(reorder=abs)";
            case "heads" -> "rotatekv(headsPerRotation=2)";
            case "position" -> "rotatekv(rotatePosition=post)";
            default -> "rotatekv";
        };
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> create(spec, SHAPE, bad, pool))
                    .isInstanceOf(CalibrationException.class)
                    .hasMessageContaining(expected);
        }
    }

    @Test
    void withoutACalibrationOnlyTheOrderIsMissing() {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> Caches.create(CacheSpec.parse("rotatekv"), SHAPE, pool, Steps.sequential()))
                    .isInstanceOf(CalibrationException.class)
                    .hasMessageContaining("kvasir calibrate rotatekv");
            Caches.create(CacheSpec.parse("rotatekv(reorder=off)"), SHAPE, pool, Steps.sequential())
                    .close();
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "rotatekv(sinkEntries=65)|allowed: 0 to 64",
                "rotatekv(clip=1.5)|allowed: 0 to 1",
                "rotatekv(groupSize=64)|does not divide the head's 96 channels",
                "rotatekv(bits=5)|allowed: 2, 3, 4, 8"
            })
    void saysWhatIsWrong(String spec, String problem) {
        CacheShape shape = new CacheShape(1, 2, 2, 96, 8);
        assertThatThrownBy(() -> Caches.estimate(CacheSpec.parse(spec), shape, 10))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(problem);
    }
}
