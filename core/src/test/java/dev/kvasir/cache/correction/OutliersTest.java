package dev.kvasir.cache.correction;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.kernel.Element;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Both layouts of sparse outliers against the dense matrix they stand for. */
class OutliersTest {
    private final Random random = new Random(5);

    /** The reads that both layouts offer. */
    private interface Reads {
        void scores(float[] queries, int rows, int from, int to, float[] out, int outOffset, int outStride);

        void weighted(float[] weights, int offset, int stride, int rows, int from, int to, float[] out, int outOffset);

        void tile(int from, int to, float[] tile, int offset, int stride);
    }

    @ParameterizedTest
    @CsvSource({
        "100, 1024, 12, 0, 128, 1, 0, 100",
        "100, 1024, 12, 896, 1024, 4, 32, 77",
        "40, 80, 80, 0, 80, 3, 0, 40",
        "33, 65535, 5, 32768, 40000, 2, 1, 33",
        "10, 64, 0, 0, 64, 2, 0, 10",
    })
    void fixedSlotsReadAsTheDenseMatrix(
            int tokens, int width, int slots, int channelFrom, int channelTo, int rows, int from, int to) {
        FixedSlots layout = new FixedSlots(slots);
        float[][] dense = new float[tokens][width];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(layout.bytes(tokens) + 2);
            for (int t = 0; t < tokens; t++) {
                int count = random.nextInt(slots + 1);
                int[] channels = random.ints(0, width).distinct().limit(count).toArray();
                float[] deltas = gaussians(count);
                layout.write(page, 2, t, channels, deltas, count);
                for (int i = 0; i < count; i++) {
                    dense[t][channels[i]] = Element.F16.round(deltas[i]);
                }
            }
            check(dense, channelFrom, channelTo, rows, from, to, new Reads() {
                @Override
                public void scores(float[] q, int n, int a, int b, float[] out, int o, int stride) {
                    layout.addScores(page, 2, channelFrom, channelTo, q, 0, n, a, b, out, o, stride);
                }

                @Override
                public void weighted(float[] w, int wo, int ws, int n, int a, int b, float[] out, int o) {
                    layout.addWeighted(page, 2, channelFrom, channelTo, w, wo, ws, n, a, b, out, o);
                }

                @Override
                public void tile(int a, int b, float[] tile, int o, int stride) {
                    layout.addTo(page, 2, channelFrom, channelTo, a, b, tile, o, stride);
                }
            });
        }
    }

    @ParameterizedTest
    @CsvSource({
        "4096, 1, 128, 0.02, 0, 1, 256, 512",
        "100, 8, 128, 0.01, 3, 4, 32, 100",
        "100, 8, 128, 0.05, 3, 6, 32, 96",
        "100, 8, 128, 0.01, 7, 1, 5, 20",
        "70, 5, 80, 0.02, 4, 2, 3, 70",
        "65, 2, 2048, 0.001, 1, 1, 0, 65",
        "31, 3, 80, 1, 1, 3, 0, 31",
        "50, 1, 64, 0, 0, 1, 0, 50",
    })
    void csrReadsAsTheDenseMatrix(
            int tokens, int heads, int headDim, double share, int head, int rows, int from, int to) {
        int width = heads * headDim;
        float[][] dense = new float[tokens][width];
        OutlierList list = new OutlierList();
        list.add(0, 0, 1);
        list.clear();
        for (int i = 0; i < tokens * width * share; i++) {
            int t = share == 1 ? i / width : random.nextInt(tokens);
            int c = share == 1 ? i % width : random.nextInt(width);
            if (dense[t][c] == 0) {
                float delta = (float) random.nextGaussian();
                dense[t][c] = Element.F16.round(delta);
                list.add(t, c, delta);
            }
        }
        Csr layout = new Csr(tokens, heads, headDim, list.count());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(layout.bytes() + 2);
            list.write(layout, page, 2);
            assertThat(layout.sound(page, 2)).isTrue();
            check(dense, head * headDim, (head + 1) * headDim, rows, from, to, new Reads() {
                @Override
                public void scores(float[] q, int n, int a, int b, float[] out, int o, int stride) {
                    layout.addScores(page, 2, head, q, 0, n, a, b, out, o, stride);
                }

                @Override
                public void weighted(float[] w, int wo, int ws, int n, int a, int b, float[] out, int o) {
                    layout.addWeighted(page, 2, head, w, wo, ws, n, a, b, out, o);
                }

                @Override
                public void tile(int a, int b, float[] tile, int o, int stride) {
                    layout.addTo(page, 2, head, a, b, tile, o, stride, 1);
                }
            });
        }
    }

    @Test
    void entriesOutOfPlaceAreFound() {
        OutlierList list = new OutlierList();
        for (int[] place : new int[][] {{0, 0}, {0, 79}, {31, 80}, {32, 3}, {39, 159}, {5, 100}}) {
            list.add(place[0], place[1], 1);
        }
        Csr layout = new Csr(40, 2, 80, 6);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(layout.bytes());
            list.write(layout, page, 0);
            assertThat(layout.sound(page, 0)).isTrue();
            for (int at = 0; at < layout.indexBytes(); at += 4) {
                int good = page.get(Entry.INT, at);
                for (int bad : new int[] {-1, 7, Integer.MIN_VALUE}) {
                    page.set(Entry.INT, at, bad);
                    assertThat(layout.sound(page, 0)).as("%d at %d", bad, at).isFalse();
                }
                page.set(Entry.INT, at, good);
            }
            // The last entry is token 39 of channel 79: the token after, the channel after, and a key before its
            // neighbour's.
            long last = layout.bytes() - 4;
            for (int key : new int[] {79 * 32 + 8, 80 * 32 + 7}) {
                page.set(Entry.INT, last, key);
                assertThat(layout.sound(page, 0)).isFalse();
            }
            page.set(Entry.INT, last, 79 * 32 + 7);
            assertThat(layout.sound(page, 0)).isTrue();
            page.set(Entry.INT, layout.indexBytes(), 79 * 32 + 1);
            assertThat(layout.sound(page, 0)).isFalse();
        }
    }

    private void check(float[][] dense, int channelFrom, int channelTo, int rows, int from, int to, Reads reads) {
        int width = channelTo - channelFrom;
        int span = to - from;
        float[] queries = gaussians(rows * width);
        float[] scores = gaussians(1 + rows * (span + 2));
        float[] before = scores.clone();
        reads.scores(queries, rows, from, to, scores, 1, span + 2);
        float[] weights = gaussians(3 + rows * (span + 1));
        float[] sums = gaussians(2 + rows * width);
        float[] sumsBefore = sums.clone();
        reads.weighted(weights, 3, span + 1, rows, from, to, sums, 2);
        float[] tile = new float[1 + width * (span + 1)];
        reads.tile(from, to, tile, 1, span + 1);
        for (int i = 0; i < span; i++) {
            for (int c = 0; c < width; c++) {
                float delta = dense[from + i][channelFrom + c];
                assertThat(tile[1 + c * (span + 1) + i]).isEqualTo(delta);
                for (int r = 0; r < rows; r++) {
                    before[1 + r * (span + 2) + i] += queries[r * width + c] * delta;
                    sumsBefore[2 + r * width + c] += weights[3 + r * (span + 1) + i] * delta;
                }
            }
        }
        assertClose(scores, before);
        assertClose(sums, sumsBefore);
    }

    private static void assertClose(float[] found, float[] expected) {
        for (int i = 0; i < found.length; i++) {
            assertThat((double) found[i]).isCloseTo(expected[i], within(1e-4));
        }
    }

    @Test
    void bytesAreThoseOfThePapers() {
        // KVQuant: 12 slots of four bytes a token; GEAR: 2 % of 4096 tokens of 128 channels, and our starts.
        assertThat(new FixedSlots(12).bytes(1)).isEqualTo(48);
        Csr csr = new Csr(4096, 1, 128, 10_485);
        assertThat(csr.bytes() - csr.indexBytes()).isEqualTo(41_940);
        assertThat(csr.indexBytes() * 8 / (4096.0 * 128)).isLessThan(0.008);
    }

    @Test
    void deltasBeyondF16AreClamped() {
        FixedSlots layout = new FixedSlots(1);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(4);
            layout.write(page, 0, 0, new int[] {3}, new float[] {-1e9f}, 1);
            float[] tile = new float[8];
            layout.addTo(page, 0, 0, 8, 0, 1, tile, 0, 1);
            assertThat(tile).containsExactly(0, 0, 0, -65504, 0, 0, 0, 0);
        }
    }

    @Test
    void shapesThatDoNotFitAreRefused() {
        assertThatThrownBy(() -> new FixedSlots(-1)).hasMessageContaining("-1 slots");
        assertThatThrownBy(() -> new Csr(4, 1, 2_049, 1)).isInstanceOf(IllegalArgumentException.class);
        OutlierList list = new OutlierList();
        list.add(3, 64, 1);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(64);
            assertThatThrownBy(() -> list.write(new Csr(4, 2, 32, 1), page, 0)).hasMessageContaining("channel 64");
            assertThatThrownBy(() -> list.write(new Csr(4, 1, 65, 2), page, 0)).hasMessageContaining("1 outliers");
        }
    }

    private float[] gaussians(int count) {
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }
}
