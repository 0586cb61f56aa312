package dev.kvasir.cache.method.gear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.KvasirException;
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
import dev.kvasir.cache.store.Scratch;
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

/** What the cache must do over a sequence: chunks, buffer, reads, bytes. */
class GearTest {
    private static final CacheShape SHAPE = new CacheShape(1, 4, 2, 64, 16);
    private final Steps steps = new Steps(SHAPE, 21);
    private final Random random = new Random(4);

    @ParameterizedTest
    @ValueSource(strings = {"f16", "bf16", "f32"})
    void untilTheFirstChunkNothingChanges(String dtype) {
        try (PagePool pool = Steps.pool();
                SequenceCache gear =
                        GearRig.create("gear(variant=gear, buffer=128, dtype=" + dtype + ")", SHAPE, pool);
                KvCache exact = GearRig.create("exact(" + dtype + ")", SHAPE, pool)) {
            for (int count : new int[] {50, 1, 1, 70, 1, 3, 1}) {
                assertThat(steps.feed(gear, count)).isEqualTo(steps.feed(exact, count));
                assertThat(GearRig.layer(gear).chunks()).isEmpty();
            }
        }
    }

    @Test
    void aPromptIsOneChunkAndEveryFullBufferOneMore() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = GearRig.create("gear(rank=3, decode_rank=1)", SHAPE, pool)) {
            steps.feed(cache, 300);
            assertThat(chunks(cache)).containsExactly("256 rank 3");
            for (int i = 0; i < 100; i++) {
                steps.feed(cache, 1);
            }
            assertThat(chunks(cache)).containsExactly("256 rank 3", "64 rank 1", "64 rank 1");
            assertThat(GearRig.layer(cache).buffer(0).size()).isEqualTo(400 - 384);
            steps.feed(cache, 200);
            assertThat(chunks(cache)).containsExactly("256 rank 3", "64 rank 1", "64 rank 1", "192 rank 3");
            steps.feed(cache, 63);
            assertThat(chunks(cache)).endsWith("192 rank 3", "64 rank 1").hasSize(5);
        }
    }

    private static List<String> chunks(SequenceCache cache) {
        return GearRig.layer(cache).chunks().stream()
                .map(chunk -> chunk.shape.tokens + " rank " + chunk.shape.rank)
                .toList();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "gear(group=16)",
                "gear(variant=gear, group=16, sparsity=0.05)",
                "gear(variant=gear, bits=4, rank=5)",
                "gear(variant=gear, bits=8, sparsity=0.1, rank=1, decode_rank=1)",
                "gear(variant=gear, k_bits=4, v_bits=2, group=32, buffer=32)",
                "gear(variant=gear, backbone=token, group=16, dtype=f32)",
                "gear(variant=gear, backbone=channel, group=32, buffer=96, sparsity=0.04)",
                "gear(variant=backbone, quantizer=ggml, bits=5, group=32, backbone=token)",
                "gear(variant=gear, bits=3, group=16)",
                "gear(quantizer=symmetric, bits=6, group=16, rank=16, decode_rank=16)"
            })
    void equalsPlainLoopsOverWhatIsStored(String spec) {
        // Two widths for each spec; over all specs, each width several times.
        int[] headDims = spec.contains("group=32") ? new int[] {64, 96, 128, 256} : new int[] {64, 80, 96, 128, 256};
        Random shapes = new Random(spec.hashCode());
        int chosen = shapes.nextInt(headDims.length);
        for (int headDim : new int[] {headDims[chosen], headDims[(chosen + 2) % headDims.length]}) {
            int group = new int[] {1, 2, 8}[shapes.nextInt(3)];
            CacheShape shape = new CacheShape(1, 2 * group, 2, headDim, 8);
            Steps made = new Steps(shape, shapes.nextLong());
            PagePool pool = Steps.pool();
            try (SequenceCache cache = GearRig.create(spec, shape, pool)) {
                made.feed(cache, 100 + shapes.nextInt(120));
                for (int count : new int[] {1, 3, 19, 70, 1}) {
                    float[] expected = expected(cache, made, count);
                    Steps.assertClose(made.feed(cache, count), expected, 1e-5);
                }
            }
            assertThat(pool.usedBytes()).isZero();
        }
    }

    /** Reconstruct D + L + S and attend. */
    private static float[] expected(SequenceCache cache, Steps made, int count) {
        CacheShape shape = cache.shape();
        int first = cache.length();
        int d = shape.headDim();
        int width = shape.kvHeads() * d;
        GearLayer layer = GearRig.layer(cache);
        List<float[]> keys = new ArrayList<>();
        List<float[]> values = new ArrayList<>();
        for (Chunk chunk : layer.chunks()) {
            keys.addAll(List.of(ChunkContents.keys(chunk).sum()));
            values.addAll(List.of(ChunkContents.values(chunk).sum()));
        }
        boolean exact = "f32".equals(cache.spec().options().get("dtype"));
        for (int t = keys.size(); t < first + count; t++) {
            keys.add(row(made.states(0, t, 1).keys(), width, exact || t >= first));
            values.add(row(made.states(0, t, 1).values(), width, exact || t >= first));
        }
        float[] queries = made.queries(0, first, count).queries();
        float[] out = new float[count * shape.heads() * d];
        for (int t = 0; t < count; t++) {
            for (int head = 0; head < shape.heads(); head++) {
                int kv = head / shape.queriesPerKvHead() * d;
                attend(queries, (t * shape.heads() + head) * d, d, keys, values, kv, first + t + 1, out);
            }
        }
        return out;
    }

    private static float[] row(float[] padded, int width, boolean exact) {
        float[] row = java.util.Arrays.copyOf(padded, width);
        if (!exact) {
            Element.F16.round(row, 0, width);
        }
        return row;
    }

    private static void attend(
            float[] queries,
            int at,
            int d,
            List<float[]> keys,
            List<float[]> values,
            int channel,
            int seen,
            float[] out) {
        double[] weights = new double[seen];
        double max = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < seen; i++) {
            for (int c = 0; c < d; c++) {
                weights[i] += queries[at + c] * (double) keys.get(i)[channel + c] / Math.sqrt(d);
            }
            max = Math.max(max, weights[i]);
        }
        double sum = 0;
        for (int i = 0; i < seen; i++) {
            weights[i] = Math.exp(weights[i] - max);
            sum += weights[i];
        }
        for (int c = 0; c < d; c++) {
            double value = 0;
            for (int i = 0; i < seen; i++) {
                value += weights[i] * values.get(i)[channel + c];
            }
            out[at + c] = (float) (value / sum);
        }
    }

    @Test
    void valuesAreReadFromAnySlotToAnyOther() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = GearRig.create("gear(variant=gear, sparsity=0.05)", SHAPE, pool)) {
            steps.feed(cache, 140);
            steps.feed(cache, 60);
            steps.feed(cache, 30);
            GearLayer layer = GearRig.layer(cache);
            Scratch scratch = new Scratch();
            for (int rows : new int[] {1, 4, 9}) {
                float[] ones = new float[rows * 230];
                java.util.Arrays.fill(ones, 1f);
                float[] whole = new float[rows * 64];
                layer.values(1).addWeighted(ones, 0, 230, rows, 0, 230, whole, 0, scratch);
                float[] parts = new float[rows * 64];
                for (int from = 0; from < 230; ) {
                    int to = Math.min(230, from + 1 + random.nextInt(90));
                    layer.values(1).addWeighted(ones, from, 230, rows, from, to, parts, 0, scratch);
                    from = to;
                }
                Steps.assertClose(parts, whole, 1e-5);
            }
        }
    }

    @Test
    void aFlushChangesNoByteOfEarlierChunks() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = GearRig.create("gear(variant=gear, sparsity=0.05)", SHAPE, pool)) {
            steps.feed(cache, 200);
            List<byte[][]> before = new ArrayList<>();
            while (cache.length() < 600) {
                steps.feed(cache, 1 + random.nextInt(20));
                List<Chunk> chunks = GearRig.layer(cache).chunks();
                for (int i = 0; i < before.size(); i++) {
                    assertThat(ChunkContents.bytes(chunks.get(i))).isDeepEqualTo(before.get(i));
                }
                for (int i = before.size(); i < chunks.size(); i++) {
                    before.add(ChunkContents.bytes(chunks.get(i)));
                }
            }
            assertThat(before).hasSizeGreaterThan(5);
        }
    }

    @Test
    void itDoesNotMatterWhereADecodeIsInterrupted() throws IOException {
        String spec = "gear(variant=gear, sparsity=0.05)";
        try (PagePool pool = Steps.pool();
                SequenceCache whole = GearRig.create(spec, SHAPE, pool)) {
            steps.feed(whole, 150);
            while (whole.length() < 300) {
                steps.feed(whole, 1);
            }
            for (int split : new int[] {150, 191, 192, 193, 256, 299}) {
                try (SequenceCache first = GearRig.create(spec, SHAPE, pool)) {
                    steps.feed(first, 150);
                    while (first.length() < split) {
                        steps.feed(first, Math.min(split - first.length(), 1 + random.nextInt(9)));
                    }
                    try (KvCache resumed = load(save(first), pool);
                            KvCache fork = first.fork()) {
                        while (resumed.length() < 300) {
                            int count = Math.min(300 - resumed.length(), 1 + random.nextInt(9));
                            steps.feed(resumed, count);
                            steps.feed(fork, count);
                        }
                        assertThat(save(resumed)).isEqualTo(save(whole));
                        assertThat(save(fork)).isEqualTo(save(whole));
                    }
                }
            }
        }
    }

    private static byte[] save(KvCache cache) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        cache.save(out, "model");
        return out.toByteArray();
    }

    private static KvCache load(byte[] bytes, PagePool pool) throws IOException {
        return Caches.load(new ByteArrayInputStream(bytes), "model", CacheModel.of(SHAPE), pool, Steps.sequential());
    }

    @ParameterizedTest
    @ValueSource(strings = {"gear", "gear(variant=gear)", "gear(variant=gear, bits=4)", "gear(variant=backbone)"})
    void threadsChangeNothing(String spec) {
        CacheShape shape = new CacheShape(2, 6, 3, 64, 8);
        Steps made = new Steps(shape, 5);
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                KvCache one = Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential());
                KvCache other = Caches.create(CacheSpec.parse(spec), shape, pool, two)) {
            for (int count : new int[] {900, 300, 1, 63, 5, 1}) {
                assertThat(made.feed(other, count)).isEqualTo(made.feed(one, count));
            }
            assertThat(save(other)).isEqualTo(save(one));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "gear",
                "gear(variant=gear)",
                "gear(variant=gear, bits=4, dtype=f32)",
                "gear(variant=backbone, backbone=channel)",
                "gear(variant=gear, buffer=96, group=32, sparsity=0.1)"
            })
    void allocatesWhatTheFormulaSays(String spec) {
        CacheShape shape = new CacheShape(2, 4, 2, 64, 16);
        Steps made = new Steps(shape, 3);
        for (int length : new int[] {1, 31, 32, 33, 63, 64, 65, 95, 96, 97, 128, 200, 288, 500, 1000}) {
            PagePool pool = Steps.pool();
            try (KvCache cache = GearRig.create(spec, shape, pool)) {
                made.feed(cache, length);
                Footprint expected = Caches.estimate(cache.spec(), shape, length);
                assertThat(cache.footprint()).as("%d tokens", length).isEqualTo(expected);
                assertThat(pool.usedBytes()).isEqualTo(expected.total());
            }
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @Test
    void decodingAllocatesWhatTheFormulaSays() {
        // Of one head of 64 channels: codes, scales and zeros, factors, then keys' and values' outliers.
        long prompt = 2L * (128 * 64 / 4 + 4 * 128 + 2 * 4 * (128 + 64));
        long promptOutliers = 4L * 64 * 2 + 4 * 4;
        long decoded = 2L * (64 * 64 / 4 + 4 * 64 + 2 * 2 * (64 + 64));
        CacheShape shape = new CacheShape(1, 1, 1, 64, 16);
        Steps made = new Steps(shape, 3);
        PagePool pool = Steps.pool();
        try (KvCache cache = GearRig.create("gear(variant=gear)", shape, pool)) {
            made.feed(cache, 130);
            while (cache.length() < 500) {
                long windows = 2L * Math.ceilDiv(cache.length() % 64, 32) * 32 * 64 * 2;
                int chunks = cache.length() / 64 - 2;
                assertThat(pool.usedBytes()).isEqualTo(prompt + promptOutliers + chunks * decoded + windows);
                assertThat(cache.footprint().total()).isEqualTo(pool.usedBytes());
                made.feed(cache, 1);
                int back = Math.min(cache.rollbackLimit(), cache.length() % 5);
                cache.rollback(back);
                if (back > 0) {
                    made.feed(cache, back);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"gear-l, 2, 197632, 197632", "gear-l, 4, 296448, 312320", "gear, 2, 239104, 230912"})
    void takesTheBytesOfThePaper(String variant, int bits, long keyBytes, long valueBytes) {
        // The specification's example: one head of 128 channels, 4096 tokens. Its 41,940 bytes of outliers are 2 % of
        // all; by
        // whole outliers of a vector there are 80 of a key channel and 2 of a value token, and 512 bytes of block
        // starts.
        float[][] rows = new float[4096][128];
        for (float[] row : rows) {
            for (int c = 0; c < 128; c++) {
                row[c] = (float) random.nextGaussian();
            }
        }
        try (PagePool pool = Steps.pool()) {
            String spec = "gear(variant=" + variant + ", bits=" + bits + ")";
            Chunk chunk = GearRig.chunk(spec, 1, 128, rows, pool);
            assertThat(chunk.keys.size()).isEqualTo(keyBytes);
            assertThat(chunk.values.size()).isEqualTo(valueBytes);
            assertThat(pool.usedBytes()).isEqualTo(keyBytes + valueBytes);
            assertThat(chunk.shape.footprint().total()).isEqualTo(keyBytes + valueBytes);
        }
    }

    @Test
    void roomReservedForAnotherStepIsGivenBack() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = GearRig.create("gear", SHAPE, pool)) {
            cache.reserve(1000);
            assertThat(cache.footprint().total()).isEqualTo(pool.usedBytes());
            cache.reserve(1000);
            long used = pool.usedBytes();
            cache.reserve(128);
            assertThat(pool.usedBytes()).isLessThan(used / 2);
            steps.feed(cache, 40);
            assertThat(pool.usedBytes())
                    .isEqualTo(cache.footprint().total())
                    .isEqualTo(Caches.estimateBytes(cache.spec(), SHAPE, 40));
            cache.reserve(64);
            cache.rollback(3);
            assertThat(pool.usedBytes()).isEqualTo(cache.footprint().total());
        }
    }

    @Test
    void rollsBackAsFarAsTheBuffer() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = GearRig.create("gear", SHAPE, pool)) {
            steps.feed(cache, 150);
            assertThat(cache.rollbackLimit()).isEqualTo(150 - 128);
            assertThatThrownBy(() -> cache.rollback(23)).isInstanceOf(InvalidInputException.class);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "gear(rank=17)|rank=17 is not possible, allowed: 0 to 16",
                "gear(rank=1)|decode_rank=2 is not possible, allowed: 0 to 1",
                "gear(loop=0)|loop=0 is not possible, allowed: 1 to 8",
                "gear(sparsity=0.2)|sparsity=0.2 is not possible, allowed: 0 to 0.1",
                "gear(buffer=20)|buffer=20 is not possible, allowed: multiples of 32",
                "gear(buffer=0)|buffer=0",
                "gear(buffer=32)|buffer=32 is not a multiple of group=64",
                "gear(group=128, buffer=128)|group=128 does not divide the head's 64 channels",
                "gear(quantizer=ggml)|quantizer=ggml has no codes of 2 bits, allowed: 4, 5, 8",
                "gear(variant=gear_l)|allowed: gear, gear-l, backbone"
            })
    void saysWhatIsWrongWithOptions(String spec, String problem) {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> GearRig.create(spec, SHAPE, pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining(problem)
                    .hasMessageNotContaining("\n");
        }
    }

    @Test
    void headsThatCannotBeQuantizedAreRefused() {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> GearRig.create("gear", new CacheShape(1, 1, 1, 80, 80), pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("divisors of 80");
            assertThatThrownBy(() -> GearRig.create("gear(bits=4)", new CacheShape(1, 1, 1, 40, 40), pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("multiples of 16");
            assertThatThrownBy(() -> GearRig.create("gear(bits=4)", new CacheShape(1, 1, 1, 4096, 40), pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("up to 2048");
        }
    }

    @Test
    void hostileContentIsRefusedBeforeItTakesMemory() throws IOException {
        byte[] good;
        try (PagePool pool = Steps.pool();
                SequenceCache cache = GearRig.create("gear(variant=gear, sparsity=0.05)", SHAPE, pool)) {
            steps.feed(cache, 140);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            GearRig.layer(cache).write(new DataOutputStream(out));
            good = out.toByteArray();
        }
        assertThat(readLayer(good, 140)).isEqualTo("good");
        for (int[] change :
                new int[][] {{0, -1}, {0, 3}, {0, Integer.MAX_VALUE}, {4, 0}, {4, 63}, {4, 192}, {8, 3}, {8, -1}}) {
            byte[] hostile = good.clone();
            ByteBuffer.wrap(hostile).putInt(change[0], change[1]);
            assertThat(readLayer(hostile, 140))
                    .as("%d at %d", change[1], change[0])
                    .startsWith("saved cache: gear");
        }
        assertThat(readLayer(good, 300)).contains("leaves 172 for a buffer of 64");
        // The last bytes of the values' page are outliers: places beyond all tokens.
        byte[] hostile = good.clone();
        int windows = 2 * 2 * 32 * 64 * 2;
        java.util.Arrays.fill(hostile, hostile.length - windows - 64, hostile.length - windows, (byte) -1);
        assertThat(readLayer(hostile, 140)).contains("outliers out of place");
    }

    private static String readLayer(byte[] bytes, int size) throws IOException {
        PagePool pool = new PagePool(10_000_000);
        SequenceCache cache = GearRig.create("gear(variant=gear, sparsity=0.05)", SHAPE, pool);
        try {
            GearRig.layer(cache).read(new DataInputStream(new ByteArrayInputStream(bytes)), size);
            return "good";
        } catch (CacheFileException e) {
            return String.valueOf(e.getMessage());
        } catch (KvasirException e) {
            return "wrong kind: " + e;
        } finally {
            cache.close();
            assertThat(pool.usedBytes()).isZero();
        }
    }
}
