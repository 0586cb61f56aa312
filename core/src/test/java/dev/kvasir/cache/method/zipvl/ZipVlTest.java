package dev.kvasir.cache.method.zipvl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.segment.Segment;
import dev.kvasir.cache.segment.SegmentLayout;
import dev.kvasir.cache.selection.KeptLayer;
import dev.kvasir.cache.selection.KeptLayers;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What ZipVL's specification says must hold, on made-up states. */
class ZipVlTest {
    private static final CacheShape SHAPE = new CacheShape(2, 4, 2, 64, 16);
    private final Steps steps = new Steps(SHAPE, 11);

    private static SequenceCache create(String spec, CacheShape shape, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential());
    }

    private static VlLayer layer(SequenceCache cache, int layer) {
        return (VlLayer) cache.store(layer);
    }

    /** Column sums of probe rows over all heads, by plain loops; and how many probes see each column. */
    private static double[][] columns(CacheShape shape, float[] q, float[] k, int n, boolean[] probe) {
        int d = shape.headDim();
        int g = shape.queriesPerKvHead();
        double[][] out = new double[2][n];
        for (int t = 0; t < n; t++) {
            if (!probe[t]) {
                continue;
            }
            for (int i = 0; i <= t; i++) {
                out[1][i]++;
            }
            for (int h = 0; h < shape.heads(); h++) {
                double[] w = new double[t + 1];
                double max = Double.NEGATIVE_INFINITY;
                for (int i = 0; i <= t; i++) {
                    for (int c = 0; c < d; c++) {
                        w[i] += q[(t * shape.heads() + h) * d + c] * (double) k[(i * shape.kvHeads() + h / g) * d + c];
                    }
                    w[i] /= Math.sqrt(d);
                    max = Math.max(max, w[i]);
                }
                double sum = 0;
                for (int i = 0; i <= t; i++) {
                    w[i] = Math.exp(w[i] - max);
                    sum += w[i];
                }
                for (int i = 0; i <= t; i++) {
                    out[0][i] += w[i] / sum;
                }
            }
        }
        return out;
    }

    /** The important tokens by the paper's rule, from all rows as probes. */
    private static List<Integer> important(double[][] columns, double tau) {
        int n = columns[0].length;
        double[] sorted = columns[0].clone();
        java.util.Arrays.sort(sorted);
        double total = DoubleStream.of(sorted).sum();
        int p = 0;
        double reached = 0;
        while (p < n && reached < tau * total * (1 - 1e-6)) {
            reached += sorted[n - 1 - p++];
        }
        List<Integer> order = new ArrayList<>(IntStream.range(0, n - 1).boxed().toList());
        order.sort(Comparator.comparingDouble((Integer i) -> -(float) (columns[0][i] / columns[1][i])));
        List<Integer> chosen = new ArrayList<>(order.subList(0, p - 1));
        chosen.add(n - 1);
        chosen.sort(null);
        return chosen;
    }

    private static boolean[] all(int n) {
        boolean[] all = new boolean[n];
        java.util.Arrays.fill(all, true);
        return all;
    }

    @Test
    void onlyImportantTokensAttendToEachOtherAndTheOthersGetZeros() {
        int n = 120;
        CacheShape shape = new CacheShape(1, 4, 2, 64, 16);
        Steps made = new Steps(shape, 5);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("zipvl(0.9, min_tokens=0)", shape, pool)) {
            float[] found = made.feed(cache, n);
            float[] q = made.queries(0, 0, n).queries();
            float[] k = made.states(0, 0, n).keys();
            float[] v = made.states(0, 0, n).values();
            List<Integer> chosen = important(columns(shape, q, k, n, all(n)), 0.9);
            Segment segment = layer(cache, 0).segments().getFirst();
            assertThat(IntStream.range(0, n).filter(t -> segment.isHigh(0, t)).boxed())
                    .containsExactlyElementsOf(chosen);
            assertThat(chosen.size()).isLessThan(n - 10);
            float[] expected = new float[found.length];
            for (int t : chosen) {
                for (int h = 0; h < 4; h++) {
                    attend(q, k, v, chosen, t, h, expected);
                }
            }
            Steps.assertClose(found, expected, 1e-5);
            assertThat(IntStream.range(0, n)
                            .filter(t -> !chosen.contains(t))
                            .mapToDouble(t -> Math.abs(found[t * 256]))
                            .sum())
                    .isZero();
        }
    }

    private static void attend(float[] q, float[] k, float[] v, List<Integer> chosen, int t, int h, float[] out) {
        double sum = 0;
        double[] o = new double[64];
        for (int i : chosen) {
            if (i > t) {
                continue;
            }
            double score = 0;
            for (int c = 0; c < 64; c++) {
                score += q[(t * 4 + h) * 64 + c] * (double) k[(i * 2 + h / 2) * 64 + c];
            }
            double w = Math.exp(score / 8);
            sum += w;
            for (int c = 0; c < 64; c++) {
                o[c] += w * v[(i * 2 + h / 2) * 64 + c];
            }
        }
        for (int c = 0; c < 64; c++) {
            out[(t * 4 + h) * 64 + c] = (float) (o[c] / sum);
        }
    }

    @Test
    void tauOneIsTheDenseEngine() {
        try (PagePool pool = Steps.pool();
                KvCache cache = create("zipvl(1)", SHAPE, pool);
                KvCache exact = create("exact", SHAPE, pool)) {
            float[] found = steps.feed(cache, 300);
            Steps.assertClose(found, steps.feed(exact, 300), 1e-5);
            for (int layer = 0; layer < 2; layer++) {
                assertThat(layer((SequenceCache) cache, layer)
                                .segments()
                                .getFirst()
                                .highTokens())
                        .isEqualTo(300);
            }
        }
    }

    @Test
    void moreTauMoreTokensAndTheSameAgain() {
        int before = 0;
        for (String tau : List.of("0.5", "0.8", "0.9", "0.96", "0.975", "1")) {
            int[] p = new int[2];
            List<List<Integer>> sets = new ArrayList<>();
            for (int run = 0; run < 2; run++) {
                try (PagePool pool = Steps.pool();
                        SequenceCache cache = create("zipvl(" + tau + ")", SHAPE, pool)) {
                    steps.feed(cache, 400);
                    Segment segment = layer(cache, 1).segments().getFirst();
                    p[run] = segment.highTokens();
                    sets.add(IntStream.range(0, 400)
                            .filter(t -> segment.isHigh(0, t))
                            .boxed()
                            .toList());
                }
            }
            assertThat(sets.get(0)).isEqualTo(sets.get(1));
            assertThat(p[0]).isBetween(Math.max(1, before), 400);
            before = p[0];
        }
        assertThat(before).isEqualTo(400);
    }

    @ParameterizedTest
    @CsvSource({
        "1024, 0.975, 10000, 0.785, 0.01",
        "1024, 0.96, 10000, 0.73, 0.01",
        "1024, 0.975, 64, 0.92, 0.02",
        "4096, 0.975, 64, 0.94, 0.02"
    })
    void uniformRowsNeedTheKnownShare(int n, double tau, int probes, double share, double tolerance) {
        VlProbes rows = new VlProbes(probes, probes, 3);
        rows.begin(0, n);
        double[] sums = new double[n];
        for (int t = 0; t < n; t++) {
            for (int i = 0; rows.wants(t) && i <= t; i++) {
                sums[i] += 1.0 / (t + 1);
            }
        }
        assertThat(VlChoice.budget(sums, tau) / (double) n).isCloseTo(share, within(tolerance));
    }

    @Test
    void theBudgetIsTheSmallestThatHoldsTau() {
        SplittableRandom random = new SplittableRandom(4);
        for (int run = 0; run < 200; run++) {
            double[] sums =
                    random.doubles(1 + random.nextInt(60)).map(x -> x * x * x).toArray();
            double tau = 0.5 + random.nextDouble() / 2;
            int p = VlChoice.budget(sums, tau);
            double[] sorted =
                    DoubleStream.of(sums).map(x -> -x).sorted().map(x -> -x).toArray();
            double total = DoubleStream.of(sums).sum();
            assertThat(DoubleStream.of(sorted).limit(p).sum()).isGreaterThanOrEqualTo(tau * total * (1 - 2e-6));
            assertThat(DoubleStream.of(sorted).limit(p - 1).sum()).isLessThan(Math.max(tau * total, 1e-300));
        }
        double[] peaks = new double[500];
        peaks[3] = 400;
        peaks[70] = 100;
        assertThat(VlChoice.budget(peaks, 0.975)).isEqualTo(2);
    }

    @Test
    void layersDifferAndAFixedShareIsWorseWhereAttentionIsUniform() {
        int n = 256;
        CacheShape shape = new CacheShape(2, 2, 2, 64, 16);
        Random random = new Random(8);
        float[][] keys = new float[2][n * 128];
        float[][] queries = new float[2][n * 128];
        float[] values = new float[n * 128];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
            keys[0][i] = (float) random.nextGaussian() * 0.05f;
            queries[0][i] = (float) random.nextGaussian() * 0.05f;
            // The second layer attends to every sixteenth token.
            boolean peak = i / 128 % 16 == 0;
            keys[1][i] = peak ? 1.2f : (float) random.nextGaussian() * 0.05f;
            queries[1][i] = 1.2f;
        }
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("zipvl(min_tokens=0)", shape, pool)) {
            for (int layer = 0; layer < 2; layer++) {
                cache.layer(layer).append(OneStep.states(0, n, keys[layer], values));
                cache.layer(layer).attend(OneStep.queries(n, queries[layer]), new float[n * 128]);
            }
            int uniform = layer(cache, 0).segments().getFirst().highTokens();
            int peaked = layer(cache, 1).segments().getFirst().highTokens();
            assertThat(uniform).isGreaterThan(2 * peaked);
            double[][] columns = columns(shape, queries[0], keys[0], n, all(n));
            double[] sorted = DoubleStream.of(columns[0])
                    .map(x -> -x)
                    .sorted()
                    .map(x -> -x)
                    .toArray();
            double total = DoubleStream.of(sorted).sum();
            // What a fixed share of the same mean would lose of the uniform layer's attention.
            double own = 1 - DoubleStream.of(sorted).limit(uniform).sum() / total;
            double fixed =
                    1 - DoubleStream.of(sorted).limit((uniform + peaked) / 2).sum() / total;
            assertThat(fixed).isGreaterThan(4 * own);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"zipvl", "zipvl(0.9, bits_hi=8, bits_lo=4)", "zipvl(0.7, interval=40)"})
    void holdsTheBytesOfTheFormulaAndOnlyThose(String spec) {
        PagePool pool = Steps.pool();
        try (SequenceCache cache = create(spec, SHAPE, pool)) {
            int hi = spec.contains("8") ? 8 : 4;
            int lo = spec.contains("bits_lo=4") ? 4 : 2;
            int interval = spec.contains("40") ? 40 : 100;
            SegmentLayout layout = VlPlan.layout(SHAPE, hi, lo, interval);
            for (int count : new int[] {300, 1, 1, 37, 1, 150, 1, 60, 39}) {
                steps.feed(cache, count);
                Footprint sum = Footprint.ZERO;
                int tail = cache.length();
                for (int l = 0; l < 2; l++) {
                    for (Segment segment : layer(cache, l).segments()) {
                        sum = sum.plus(layout.segment(segment.tokens(), segment.highTokens()));
                        tail -= l == 0 ? segment.tokens() : 0;
                    }
                }
                assertThat(tail).isLessThan(interval);
                sum = sum.plus(layout.ofAllLayers(layout.tail(tail)));
                assertThat(cache.footprint()).isEqualTo(sum);
                assertThat(pool.usedBytes()).isEqualTo(sum.total());
                assertThat(sum.total())
                        .isLessThanOrEqualTo(2L * Caches.estimateBytes(cache.spec(), SHAPE, cache.length()));
            }
        }
        assertThat(pool.usedBytes()).isZero();
    }

    @Test
    void reachesThePapersRatio() {
        // n = 4096, r = 0.286, C = 1024, heads of 128: 2.598 bits; sets are filled up to units of 16 tokens.
        CacheShape shape = new CacheShape(1, 8, 8, 128, 8);
        SegmentLayout layout = VlPlan.layout(shape, 4, 2, 100);
        double bits = layout.segment(4096, 1171).bitsPerElement(shape, 4096);
        assertThat(bits).isCloseTo(2.598, within(0.02));
    }

    @Test
    void decodesLikeTheContentOfItsSegments() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("zipvl(0.9)", SHAPE, pool)) {
            steps.feed(cache, 280);
            for (int i = 0; i < 105; i++) {
                float[] expected = i % 13 == 0 ? steps.expectedByReading(cache, 1) : new float[0];
                float[] found = steps.feed(cache, 1);
                if (expected.length > 0) {
                    Steps.assertClose(found, expected, 1e-5);
                }
            }
            assertThat(layer(cache, 0).segments()).hasSize(2);
            assertThat(layer(cache, 0).segments().get(1).tokens()).isEqualTo(100);
        }
    }

    @Test
    void chunksAttendToWhatIsStored() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("zipvl(1, bits_hi=8, bits_lo=4)", SHAPE, pool);
                KvCache exact = create("exact", SHAPE, pool)) {
            for (int count : new int[] {260, 130, 1, 1, 270}) {
                Steps.assertClose(steps.feed(cache, count), steps.feed(exact, count), 0.02);
            }
        }
    }

    @Test
    void aBlockOfNearDuplicatesNeedsFewTokensAndTheOneAskedForIsAmongThem() {
        int n = 140;
        CacheShape shape = new CacheShape(1, 1, 1, 64, 16);
        Random random = new Random(21);
        float[] redundant = new float[n * 64];
        float[] different = new float[n * 64];
        float[] queries = new float[n * 64];
        float[][] patches = new float[10][64];
        for (float[] patch : patches) {
            for (int c = 0; c < 64; c++) {
                patch[c] = (float) random.nextGaussian();
            }
        }
        for (int t = 0; t < n; t++) {
            for (int c = 0; c < 64; c++) {
                float noise = (float) random.nextGaussian();
                different[t * 64 + c] = noise;
                redundant[t * 64 + c] = t < 100 ? patches[t % 10][c] + 0.05f * noise : noise;
                // All ask for patch 7.
                queries[t * 64 + c] = 2 * patches[7][c] + 0.1f * (float) random.nextGaussian();
            }
        }
        int[] needed = new int[2];
        float[][] both = {redundant, different};
        for (int i = 0; i < 2; i++) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = create("zipvl(min_tokens=0)", shape, pool)) {
                cache.layer(0).append(OneStep.states(0, n, both[i], both[i]));
                cache.layer(0).attend(OneStep.queries(n, queries), new float[n * 64]);
                Segment segment = layer(cache, 0).segments().getFirst();
                needed[i] = segment.highTokens();
                if (i == 0) {
                    assertThat(IntStream.range(0, 10)
                                    .filter(j -> segment.isHigh(0, 10 * j + 7))
                                    .count())
                            .isGreaterThanOrEqualTo(8);
                }
            }
        }
        assertThat(needed[0]).isLessThan(needed[1] / 2);
    }

    @Test
    void droppingHoldsJustTheImportantTokensOfEachLayer() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("zipvl(0.9, cache=drop)", SHAPE, pool);
                SequenceCache mixed = create("zipvl(0.9)", SHAPE, pool)) {
            assertThat(steps.feed(cache, 300)).isEqualTo(steps.feed(mixed, 300));
            long before = pool.usedBytes();
            for (int l = 0; l < 2; l++) {
                KeptLayer kept = (KeptLayer) cache.store(l);
                Segment segment = layer(mixed, l).segments().getFirst();
                List<Integer> important = IntStream.range(0, 300)
                        .filter(t -> segment.isHigh(0, t))
                        .boxed()
                        .toList();
                for (int h = 0; h < 2; h++) {
                    int head = h;
                    assertThat(IntStream.range(0, kept.keys(h).size())
                                    .map(slot -> kept.position(head, slot))
                                    .boxed())
                            .containsExactlyElementsOf(important);
                }
                int size = important.size();
                long rows = 2 * 2 * 64 * 64 * 2L * Math.ceilDiv(size, 64);
                assertThat(kept.footprint().total()).isEqualTo(rows + KeptLayers.indexBytes(2, size, true));
            }
            assertThat(before)
                    .isEqualTo(cache.footprint().total() + mixed.footprint().total());
            int judged = cache.store(0).size();
            for (int i = 0; i < 99; i++) {
                steps.feed(cache, 1);
                assertThat(cache.store(0).size()).isEqualTo(judged + i + 1);
            }
            steps.feed(cache, 1);
            assertThat(cache.store(0).size()).isLessThan(judged + 100);
            float[] expected = steps.expectedByReading(cache, 1);
            Steps.assertClose(steps.feed(cache, 1), expected, 1e-5);
        }
    }

    @Test
    void refusesWhatCannotBe() {
        for (String spec : List.of("zipvl(0)", "zipvl(1.5)", "zipvl(interval=1)", "zipvl(recent=0)")) {
            assertThatThrownBy(() -> create(spec, SHAPE, Steps.pool()))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("zipvl:")
                    .hasMessageContaining("allowed");
        }
    }
}
