package dev.kvasir.cache.method.quest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.Reads;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.lookup.LookupLayer;
import dev.kvasir.cache.store.ChannelBounds;
import dev.kvasir.tensor.Workers;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Comparator;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which pages are read, and what that gives. */
class QuestTest {
    private static final CacheShape SHAPE = new CacheShape(3, 6, 2, 64, 64);
    private final Steps steps = new Steps(SHAPE, 12);
    private final Random random = new Random(3);

    private static SequenceCache create(String spec, CacheShape shape, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential());
    }

    private static LookupLayer layer(KvCache cache, int layer) {
        return (LookupLayer) ((SequenceCache) cache).store(layer);
    }

    /** The tokens that a KV head reads, by sorting the pages' bounds of each of its query heads. */
    private static int[] read(
            CacheShape shape, TokenStates states, Queries queries, int h, int position, int page, int pages) {
        int d = shape.headDim();
        int full = position / page;
        TreeSet<Integer> read = new TreeSet<>();
        for (int g = 0; g < shape.queriesPerKvHead(); g++) {
            int head = h * shape.queriesPerKvHead() + g;
            double[] bound = new double[full];
            for (int p = 0; p < full; p++) {
                for (int c = 0; c < d; c++) {
                    double q = queries.queries()[head * d + c] / Math.sqrt(d);
                    double best = Double.NEGATIVE_INFINITY;
                    for (int t = p * page; t < (p + 1) * page; t++) {
                        best = Math.max(best, q * Element.F16.round(states.keys()[(t * shape.kvHeads() + h) * d + c]));
                    }
                    bound[p] += best;
                }
            }
            IntStream.range(0, full)
                    .boxed()
                    .sorted(Comparator.<Integer>comparingDouble(p -> -bound[p]).thenComparing(p -> p))
                    .limit(pages - 1L)
                    .forEach(p -> IntStream.range(p * page, (p + 1) * page).forEach(read::add));
        }
        IntStream.range(full * page, position).forEach(read::add);
        return read.stream().mapToInt(Integer::intValue).toArray();
    }

    @ParameterizedTest
    @CsvSource({"16, 64", "16, 1", "7, 70", "32, 96", "1, 30"})
    void readsThePagesOfTheHighestBounds(int page, int budget) {
        for (CacheShape shape : new CacheShape[] {
            SHAPE, new CacheShape(2, 2, 2, 80, 16), new CacheShape(1, 8, 1, 128, 16), new CacheShape(1, 1, 1, 256, 8)
        }) {
            Steps made = new Steps(shape, random.nextLong());
            try (PagePool pool = Steps.pool();
                    SequenceCache cache =
                            create("quest(dense=0, page=" + page + ", budget=" + budget + ")", shape, pool)) {
                made.feed(cache, 150 + random.nextInt(100));
                for (int i = 0; i < 4; i++) {
                    int position = cache.length();
                    made.feed(cache, 1);
                    for (int l = 0; l < shape.layers(); l++) {
                        TokenStates states = made.states(l, 0, position + 1);
                        for (int h = 0; h < shape.kvHeads(); h++) {
                            assertThat(layer(cache, l).lastRead(h))
                                    .isEqualTo(read(
                                            shape,
                                            states,
                                            made.queries(l, position, 1),
                                            h,
                                            position,
                                            page,
                                            Math.max(3, budget / page)));
                        }
                    }
                    made.feed(cache, 5);
                }
            }
        }
    }

    @Test
    void outputsAreExactAttentionOverWhatIsRead() {
        CacheShape shape = new CacheShape(1, 4, 2, 64, 16);
        Steps made = new Steps(shape, 4);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("quest(dense=0, budget=64, store=exact(f32))", shape, pool)) {
            made.feed(cache, 333);
            float[] found = made.feed(cache, 1);
            TokenStates states = made.states(0, 0, 334);
            float[] expected = new float[found.length];
            for (int head = 0; head < 4; head++) {
                int[] read = layer(cache, 0).lastRead(head / 2);
                double total = 0;
                double[] sum = new double[64];
                for (int i = 0; i <= read.length; i++) {
                    int row = ((i < read.length ? read[i] : 333) * 2 + head / 2) * 64;
                    double score = 0;
                    for (int c = 0; c < 64; c++) {
                        score += made.queries(0, 333, 1).queries()[head * 64 + c] * (double) states.keys()[row + c];
                    }
                    double weight = Math.exp(score / 8);
                    total += weight;
                    for (int c = 0; c < 64; c++) {
                        sum[c] += weight * states.values()[row + c];
                    }
                }
                for (int c = 0; c < 64; c++) {
                    expected[head * 64 + c] = (float) (sum[c] / total);
                }
            }
            Steps.assertClose(found, expected, 1e-5);
        }
    }

    /** No key of a page scores more than the page's bound, whatever the query. */
    @Test
    void boundsAreNeverExceeded() {
        int d = 64;
        Kernels kernels = Kernels.best();
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("quest(dense=0)", SHAPE, pool)) {
            steps.feed(cache, 163);
            for (int h = 0; h < 2; h++) {
                ChannelBounds bounds = ((PageIndex) layer(cache, 0).index().orElseThrow()).bounds(h);
                float[][] keys =
                        dev.kvasir.cache.store.ReadBack.keys(layer(cache, 0).keys(h), d);
                PageChooser chooser = new PageChooser();
                for (int trial = 0; trial < 30; trial++) {
                    float[] q = new float[d];
                    for (int c = 0; c < d; c++) {
                        q[c] = (float) random.nextGaussian();
                    }
                    chooser.score(kernels, bounds, 11, q, 1, d, new dev.kvasir.cache.store.Scratch());
                    for (int t = 0; t < keys.length; t++) {
                        double score = 0;
                        for (int c = 0; c < d; c++) {
                            score += q[c] * (double) keys[t][c];
                        }
                        assertThat(score).isLessThanOrEqualTo(chooser.score(0, 11, t / 16) + 1e-4);
                    }
                }
            }
        }
    }

    @Test
    void firstLayersAndLongStepsReadEverything() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("quest(budget=48, store=exact(f32))", SHAPE, pool);
                SequenceCache exact = create("exact", SHAPE, pool)) {
            for (int count : new int[] {200, 1, 90, 2, 1}) {
                float[] found = steps.feed(cache, count);
                float[] expected = steps.feed(exact, count);
                int layer = found.length / 3;
                int same = count == 1 ? 2 * layer : 3 * layer;
                Steps.assertClose(java.util.Arrays.copyOf(found, same), java.util.Arrays.copyOf(expected, same), 1e-6);
                if (count == 1) {
                    assertThat(java.util.Arrays.copyOfRange(found, 2 * layer, 3 * layer))
                            .isNotEqualTo(java.util.Arrays.copyOfRange(expected, 2 * layer, 3 * layer));
                }
            }
            assertThat(layer(cache, 1).index()).isEmpty();
            assertThat(layer(cache, 1).reads().share()).isEqualTo(1);
            Reads last = layer(cache, 2).reads();
            assertThat(last.indexBytes()).isEqualTo(2L * (200 / 16 + 293 / 16) * 2 * 64 * 2);
            assertThat(last.share()).isBetween(48 / 293.0 * 0.9, 3 * 48 / 200.0);
        }
    }

    @Test
    void readingAllPagesIsTheExactCache() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("quest(budget=100000, dense=0, store=exact(f32))", SHAPE, pool);
                SequenceCache exact = create("exact", SHAPE, pool)) {
            for (int count : new int[] {100, 1, 90, 1}) {
                Steps.assertClose(steps.feed(cache, count), steps.feed(exact, count), 1e-6);
            }
        }
    }

    @Test
    void bytesAreTheStoresAndTheBounds() {
        PagePool pool = Steps.pool();
        try (SequenceCache cache = create("quest", SHAPE, pool)) {
            for (int count : new int[] {1, 1023, 1, 1023}) {
                steps.feed(cache, count);
                Footprint found = cache.footprint();
                assertThat(found).isEqualTo(Caches.estimate(cache.spec(), SHAPE, cache.length()));
                assertThat(pool.usedBytes()).isEqualTo(found.total());
                assertThat(found.secondTier()).isZero();
                assertThat(found.codes()).isEqualTo(3L * 2 * 64 * 4 * Math.ceilDiv(cache.length(), 64) * 64);
                assertThat(found.indices()).isEqualTo(2L * 64 * 4 * Math.ceilDiv(cache.length(), 1024) * 64);
            }
        }
        assertThat(pool.usedBytes()).isZero();
    }

    /** A rollback cuts a page whose bounds knew the tokens taken back: they are made anew from what is stored. */
    @ParameterizedTest
    @ValueSource(strings = {"exact(f16)", "exact(f32)", "exact(bf16)"})
    void boundsForgetTokensTakenBack(String store) {
        Steps wrong = new Steps(SHAPE, 5);
        String spec = "quest(dense=0, budget=48, store=" + store + ")";
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, SHAPE, pool);
                SequenceCache twin = create(spec, SHAPE, pool)) {
            steps.feed(cache, 150);
            steps.feed(twin, 150);
            wrong.feed(cache, 300);
            try (KvCache fork = cache.fork()) {
                cache.rollback(300);
                for (int i = 0; i < 20; i++) {
                    assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
                }
                PageIndex index = (PageIndex) layer(cache, 1).index().orElseThrow();
                PageIndex same = (PageIndex) layer(twin, 1).index().orElseThrow();
                float[] found = new float[128];
                float[] expected = new float[128];
                for (int p = 0; p < 10; p++) {
                    index.bounds(1).read(p, 1, found, 0);
                    same.bounds(1).read(p, 1, expected, 0);
                    assertThat(found).isEqualTo(expected);
                }
                fork.rollback(1);
                wrong.feed(fork, 1);
            }
        }
    }

    @Test
    void threadsDoNotMatter() {
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                KvCache one = create("quest(budget=96)", SHAPE, pool);
                KvCache other = Caches.create(CacheSpec.parse("quest(budget=96)"), SHAPE, pool, two)) {
            for (int count : new int[] {700, 1, 300, 1, 1}) {
                assertThat(steps.feed(other, count)).isEqualTo(steps.feed(one, count));
            }
        }
    }

    @Test
    void hostileBoundsAreRefused() throws IOException {
        try (PagePool pool = Steps.pool()) {
            ChannelBounds bounds = new ChannelBounds(pool, Kernels.best(), 2, 4);
            try (PagePool.Claim claim = pool.claim(bounds.wantedBytes(4))) {
                bounds.reserve(4, claim);
            }
            bounds.append(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 0, 2, 4);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            bounds.write(new DataOutputStream(out), 4);
            bounds.release();
            byte[] bytes = out.toByteArray();
            // The least number of channel 1 becomes NaN.
            bytes[2] = (byte) 0xff;
            bytes[3] = 0x7f;
            ChannelBounds read = new ChannelBounds(pool, Kernels.best(), 2, 4);
            assertThatThrownBy(() -> read.read(new DataInputStream(new ByteArrayInputStream(bytes)), 4))
                    .isInstanceOf(CacheFileException.class)
                    .hasMessageContaining("block 0, channel 1");
            read.release();
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "quest(page=0)|allowed: 1 to 65536",
                "quest(store=zipcache)|cannot store in zipcache",
                "quest(store=quest)|cannot store in quest"
            })
    void saysWhatCannotBe(String spec, String problem) {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> create(spec, SHAPE, pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining(problem);
        }
    }
}
