package dev.kvasir.cache.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.KvasirException;
import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.kernel.Element;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sparse stores against a list of maps. */
class OutliersTest {
    private static final int HEAD = 16;

    private final Random random = new Random(8);
    private final PagePool pool = Steps.pool();

    private Outliers store(int width, int slots) {
        return slots > 0 ? new SlottedOutliers(pool, width, slots) : new CountedOutliers(pool, width);
    }

    @ParameterizedTest
    @CsvSource({"16, 2", "128, 2", "1024, 12", "2048, 3", "3072, 5", "65536, 2", "96, 0", "1024, 0"})
    void readsWhatWasWrittenThroughForksAndRollbacks(int width, int slots) {
        Outliers store = store(width, slots);
        List<Map<Integer, Float>> model = new ArrayList<>();
        for (int round = 0; round < 30; round++) {
            grow(store, model, width, slots, 1 + random.nextInt(60));
            if (random.nextInt(3) == 0) {
                int size = random.nextInt(model.size() + 1);
                store.truncate(size);
                model.subList(size, model.size()).clear();
            }
            if (random.nextInt(4) == 0) {
                Outliers fork = store.fork();
                List<Map<Integer, Float>> copy = new ArrayList<>(model);
                grow(fork, copy, width, slots, 1 + random.nextInt(40));
                check(fork, copy, width);
                check(store, model, width);
                fork.release();
            }
            check(store, model, width);
        }
        store.release();
        assertThat(pool.usedBytes()).isZero();
    }

    private void grow(Outliers store, List<Map<Integer, Float>> model, int width, int slots, int tokens) {
        try (PagePool.Claim claim = pool.claim(store.wantedBytes(tokens))) {
            store.reserve(tokens, claim);
        }
        for (int t = 0; t < tokens; t++) {
            int most = slots > 0 ? slots : Math.min(width, 40);
            TreeMap<Integer, Float> row = new TreeMap<>();
            for (int i = random.nextInt(most + 1); i > 0; i--) {
                row.put(random.nextInt(width), (float) random.nextGaussian());
            }
            int[] channels = row.keySet().stream().mapToInt(c -> c).toArray();
            float[] deltas = new float[channels.length];
            for (int i = 0; i < channels.length; i++) {
                deltas[i] = row.getOrDefault(channels[i], 0f);
            }
            store.append(channels, deltas, channels.length);
            model.add(row);
        }
        store.trim();
    }

    private void check(Outliers store, List<Map<Integer, Float>> model, int width) {
        int from = random.nextInt(width / HEAD) * HEAD;
        int size = model.size();
        Scratch scratch = new Scratch();
        for (int slot = 0; slot < size; slot += 32) {
            float[] tile = new float[HEAD * 32];
            store.addTo(from, from + HEAD, slot, tile, scratch);
            for (int c = 0; c < HEAD; c++) {
                for (int i = 0; i < Math.min(32, size - slot); i++) {
                    assertThat(tile[c * 32 + i]).isEqualTo(delta(model, slot + i, from + c));
                }
            }
        }
        checkSums(store, model, from, scratch);
    }

    private void checkSums(Outliers store, List<Map<Integer, Float>> model, int channel, Scratch scratch) {
        if (model.isEmpty()) {
            return;
        }
        int rows = 1 + random.nextInt(3);
        int from = random.nextInt(model.size());
        int to = from + 1 + random.nextInt(model.size() - from);
        int stride = to - from + 3;
        float[] weights = new float[rows * stride];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = random.nextFloat();
        }
        float[] out = new float[rows * HEAD];
        store.addWeighted(channel, channel + HEAD, weights, 0, stride, rows, from, to, out, 0, scratch);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < HEAD; c++) {
                double expected = 0;
                for (int t = from; t < to; t++) {
                    expected += weights[r * stride + t - from] * (double) delta(model, t, channel + c);
                }
                assertThat((double) out[r * HEAD + c]).isCloseTo(expected, org.assertj.core.data.Offset.offset(1e-4));
            }
        }
    }

    private static float delta(List<Map<Integer, Float>> model, int token, int channel) {
        return Element.F16.round(model.get(token).getOrDefault(channel, 0f));
    }

    @ParameterizedTest
    @CsvSource({"128, 2", "3072, 4", "128, 0"})
    void goesOnAfterItWasWrittenAndRead(int width, int slots) throws IOException {
        Outliers store = store(width, slots);
        List<Map<Integer, Float>> model = new ArrayList<>();
        grow(store, model, width, slots, 300);
        store.truncate(283);
        model.subList(283, 300).clear();
        Outliers read = store(width, slots);
        read.read(new DataInputStream(new ByteArrayInputStream(written(store))), 283);
        check(read, model, width);
        assertThat(read.footprint()).isEqualTo(store.footprint());
        grow(read, model, width, slots, 50);
        check(read, model, width);
    }

    private static byte[] written(Outliers store) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        store.write(new DataOutputStream(out));
        return out.toByteArray();
    }

    @ParameterizedTest
    @CsvSource({"128, 2", "128, 0"})
    void damagedContentIsRefusedOrHarmless(int width, int slots) throws IOException {
        Outliers store = store(width, slots);
        grow(store, new ArrayList<>(), width, slots, 200);
        byte[] bytes = written(store);
        for (int trial = 0; trial < 300; trial++) {
            byte[] damaged = bytes.clone();
            ByteBuffer.wrap(damaged).putInt(random.nextInt(bytes.length / 4) * 4, random.nextInt());
            Outliers read = store(width, slots);
            try {
                read.read(new DataInputStream(new ByteArrayInputStream(damaged)), 200);
                for (int c = 0; c < width; c += HEAD) {
                    for (int slot = 0; slot < 200; slot += 32) {
                        read.addTo(c, c + HEAD, slot, new float[HEAD * 32], new Scratch());
                    }
                    read.addWeighted(c, c + HEAD, new float[200], 0, 200, 1, 0, 200, new float[HEAD], 0, new Scratch());
                }
            } catch (KvasirException e) {
                assertThat(e).isInstanceOf(CacheFileException.class).hasMessageContaining("outlier");
            }
            read.release();
        }
    }

    @Test
    void moreOutliersThanSlotsAreRefused() {
        Outliers store = store(64, 2);
        assertThatThrownBy(() -> store.append(new int[] {1, 2, 3}, new float[3], 3))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void slotsTakeFourBytesEachInPagesOf128Tokens() {
        Outliers store = store(1024, 12);
        grow(store, new ArrayList<>(), 1024, 12, 129);
        assertThat(store.footprint().indices())
                .isEqualTo(SlottedOutliers.bytes(12, 129))
                .isEqualTo(2 * 128 * 12 * 4);
    }
}
