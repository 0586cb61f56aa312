package dev.kvasir.cache.method.zipcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.segment.Segment;
import dev.kvasir.cache.segment.SegmentRows;
import dev.kvasir.cache.segment.SegmentSet;
import dev.kvasir.cache.selection.Ranks;
import dev.kvasir.cache.store.Scratch;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the paper's quantizers lose and its scores find, on made-up data. */
final class ZipQualityTest {
    private final Random random = new Random(8);

    /** Rows {@code [tokens][kvHeads * headDim]} for keys and values, quantized as one segment. */
    private record Quantized(ZipPlan plan, Segment segment, float[][] keys, float[][] values) {
        /** Relative squared error of the values. */
        double valueError() {
            double error = 0;
            double norm = 0;
            for (int h = 0; h < plan.layout().shape().kvHeads(); h++) {
                for (int t = 0; t < values.length; t++) {
                    float[] row = row(false, h, t);
                    for (int c = 0; c < row.length; c++) {
                        float x = values[t][h * row.length + c];
                        error += (row[c] - x) * (double) (row[c] - x);
                        norm += (double) x * x;
                    }
                }
            }
            return error / norm;
        }

        /** What a token's key or value is stored as. */
        float[] row(boolean key, int kvHead, int token) {
            int d = plan.layout().shape().headDim();
            boolean high = segment.isHigh(kvHead, token);
            int slot = 0;
            for (int t = 0; t < token; t++) {
                slot += segment.isHigh(kvHead, t) == high ? 1 : 0;
            }
            SegmentSet set = (high ? segment.high() : segment.low()).orElseThrow();
            float[] row = new float[d];
            if (key) {
                set.keyStore(kvHead).row(slot, row, 0, new Scratch());
                return row;
            }
            float[] all = new float[plan.layout().channels()];
            set.valueStore().row(slot, all, 0, new Scratch());
            float[] factors = segment.factors();
            for (int c = 0; c < d; c++) {
                row[c] = all[kvHead * d + c] * (factors.length == 0 ? 1 : factors[kvHead * d + c]);
            }
            return row;
        }
    }

    private Quantized quantized(String spec, CacheShape shape, float[][] keys, float[][] values) {
        ZipPlan plan = new ZipPlan(Steps.settings(spec), shape);
        int n = keys.length;
        int high = plan.highSize(n);
        PagePool pool = Steps.pool();
        Segment segment = new Segment(plan.layout(), n, high, pool, Kernels.best());
        try (PagePool.Claim claim = pool.claim(segment.wantedBytes())) {
            segment.reserve(claim);
        }
        float[] scores = new float[n];
        boolean[][] chosen = new boolean[plan.layout().selections()][];
        int[][][] members = new int[2][plan.layout().selections()][];
        for (int h = 0; h < chosen.length; h++) {
            for (int t = 0; t < n; t++) {
                scores[t] = random.nextFloat();
            }
            chosen[h] = Ranks.highest(scores, high);
            List<Integer> highs = new ArrayList<>();
            List<Integer> lows = new ArrayList<>();
            for (int t = 0; t < n; t++) {
                (chosen[h][t] ? highs : lows).add(t);
            }
            members[0][h] = highs.stream().mapToInt(i -> i).toArray();
            members[1][h] = lows.stream().mapToInt(i -> i).toArray();
        }
        int d = shape.headDim();
        SegmentRows rows = new SegmentRows() {
            @Override
            public void key(int kvHead, int token, float[] out, int offset) {
                System.arraycopy(keys[token], kvHead * d, out, offset, d);
            }

            @Override
            public void value(int kvHead, int token, float[] out, int offset) {
                System.arraycopy(values[token], kvHead * d, out, offset, d);
            }
        };
        segment.select(chosen);
        segment.measure(rows);
        for (int s = 0; s < 2; s++) {
            int of = s;
            (s == 0 ? segment.high() : segment.low()).ifPresent(set -> {
                for (int h = 0; h < shape.kvHeads(); h++) {
                    set.writeKeys(h, rows, members[of][members[of].length == 1 ? 0 : h], new Scratch());
                }
                set.writeValues(rows, members[of], segment.factors(), new Scratch());
            });
        }
        return new Quantized(plan, segment, keys, values);
    }

    private float[][] gaussian(int tokens, int width) {
        float[][] rows = new float[tokens][width];
        for (float[] row : rows) {
            for (int c = 0; c < width; c++) {
                row[c] = (float) random.nextGaussian();
            }
        }
        return rows;
    }

    @ParameterizedTest
    @ValueSource(strings = {"zipcache", "zipcache(0.35, bits_hi=8, bits_lo=4)", "zipcache(0.5, v_rows=head)"})
    void errorIsAtMostHalfAStep(String spec) {
        CacheShape shape = new CacheShape(1, 2, 2, 64, 8);
        for (String kind : List.of("random", "constant", "zero", "outlier")) {
            float[][] keys = gaussian(131, 128);
            float[][] values = gaussian(131, 128);
            for (int t = 0; t < 131; t++) {
                for (float[][] side : List.of(keys, values)) {
                    switch (kind) {
                        case "constant" -> side[t][5] = 3.5f;
                        case "zero" -> side[t][5] = 0;
                        case "outlier" -> side[t][5] = t == 40 ? -1e4f : t == 90 ? 1e4f : side[t][5];
                        default -> {}
                    }
                }
            }
            checkBounds(quantized(spec, shape, keys, values), !spec.contains("v_rows=head"));
        }
    }

    private static void checkBounds(Quantized made, boolean together) {
        ZipPlan plan = made.plan();
        float[] factors = made.segment().factors();
        for (int h = 0; h < 2; h++) {
            for (int t = 0; t < 131; t++) {
                boolean high = made.segment().isHigh(h, t);
                int most = (1 << plan.layout().bits(high)) - 1;
                float[] key = made.row(true, h, t);
                float[] value = made.row(false, h, t);
                for (int c = 0; c < 64; c++) {
                    double min = Double.POSITIVE_INFINITY;
                    double max = Double.NEGATIVE_INFINITY;
                    for (int other = 0; other < 131; other++) {
                        if (made.segment().isHigh(h, other) == high) {
                            min = Math.min(min, made.keys()[other][h * 64 + c]);
                            max = Math.max(max, made.keys()[other][h * 64 + c]);
                        }
                    }
                    double range = max - min;
                    double size = Math.max(Math.abs(min), Math.abs(max));
                    assertBounded(key[c], made.keys()[t][h * 64 + c], range / most, size, range);
                    // A row of values shares its scale with rows of equal rank of other heads: at most their joint
                    // range.
                    double least = Double.POSITIVE_INFINITY;
                    double largest = Double.NEGATIVE_INFINITY;
                    for (int head = together ? 0 : h; head < (together ? 2 : h + 1); head++) {
                        int token = head == h ? t : sameRank(made, h, t, head);
                        for (int i = 0; i < 64; i++) {
                            double x = made.values()[token][head * 64 + i] / factors[head * 64 + i];
                            least = Math.min(least, x);
                            largest = Math.max(largest, x);
                        }
                    }
                    double factor = factors[h * 64 + c];
                    double rowSize = Math.max(Math.abs(least), Math.abs(largest));
                    assertBounded(
                            value[c],
                            made.values()[t][h * 64 + c],
                            factor * (largest - least) / most,
                            factor * rowSize,
                            factor * (largest - least));
                }
            }
        }
    }

    private static int sameRank(Quantized made, int kvHead, int token, int other) {
        boolean high = made.segment().isHigh(kvHead, token);
        int rank = 0;
        for (int t = 0; t < token; t++) {
            rank += made.segment().isHigh(kvHead, t) == high ? 1 : 0;
        }
        for (int t = 0; ; t++) {
            if (made.segment().isHigh(other, t) == high && rank-- == 0) {
                return t;
            }
        }
    }

    /** Half a step, and what F16 takes of the smallest number and of the step. */
    private static void assertBounded(float found, float exact, double step, double size, double range) {
        double slack = Math.pow(2, -11) * (size + 2 * range) + 1e-6;
        assertThat(Math.abs((double) found - exact)).isLessThanOrEqualTo(step / 2 + slack);
    }

    @Test
    void separatedChannelsDoNotDrownInOutlierChannels() {
        CacheShape shape = new CacheShape(1, 8, 8, 128, 8);
        float[][] values = gaussian(256, 1024);
        for (float[] row : values) {
            for (int c = 7; c < 1024; c += 102) {
                row[c] *= c < 1000 ? 20 : 1;
            }
        }
        double cst = quantized("zipcache(1)", shape, values, values).valueError();
        double tokenwise =
                quantized("zipcache(1, v_scheme=token)", shape, values, values).valueError();
        double groups =
                quantized("zipcache(1, v_scheme=group)", shape, values, values).valueError();
        assertThat(tokenwise).isCloseTo(0.30, offset(0.05));
        assertThat(cst).isCloseTo(0.018, offset(0.004));
        assertThat(groups).isCloseTo(0.012, offset(0.003));
        assertThat(cst).isLessThan(tokenwise / 10);
        ZipPlan separated = new ZipPlan(Steps.settings("zipcache(1)"), shape);
        ZipPlan grouped = new ZipPlan(Steps.settings("zipcache(1, v_scheme=group)"), shape);
        long own = separated.layout().values(4, 256).scaleBytes() + 2 * 1024;
        assertThat(own * 10).isLessThan(grouped.layout().values(4, 256).scaleBytes());
    }

    @Test
    void errorFallsWithBitsAndWithTheShareOfSalientTokens() {
        CacheShape shape = new CacheShape(1, 4, 2, 64, 64);
        Steps steps = new Steps(shape, 2);
        double last = Double.POSITIVE_INFINITY;
        for (String spec : List.of(
                "zipcache(0)",
                "zipcache(0.25)",
                "zipcache(0.5)",
                "zipcache(0.75)",
                "zipcache(1)",
                "zipcache(1, bits_hi=8)")) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = create(spec, shape, pool)) {
                steps.feed(cache, 400);
                double error = ZipContents.error((ZipLayer) cache.store(0), shape, steps, 400);
                assertThat(error).as(spec).isLessThan(last);
                last = error;
            }
        }
    }

    private static SequenceCache create(String spec, CacheShape shape, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential());
    }

    /** A prompt of one head. */
    private record Made(int count, float[] keys, float[] queries) {}

    private static boolean[] chosen(String spec, Made made) {
        CacheShape shape = new CacheShape(1, 1, 1, 64, 64);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, shape, pool)) {
            cache.reserve(made.count());
            cache.layer(0).append(OneStep.states(0, made.count(), made.keys(), made.keys()));
            cache.layer(0).attend(OneStep.queries(made.count(), made.queries()), new float[made.count() * 64]);
            boolean[] chosen = new boolean[made.count()];
            for (int t = 0; t < chosen.length; t++) {
                chosen[t] = ((ZipLayer) cache.store(0)).segments().getFirst().isHigh(0, t);
            }
            return chosen;
        }
    }

    private Made randomPrompt(int tokens) {
        float[] keys = new float[tokens * 64];
        float[] queries = new float[tokens * 64];
        for (int i = 0; i < keys.length; i++) {
            keys[i] = (float) random.nextGaussian();
            queries[i] = (float) random.nextGaussian();
        }
        return new Made(tokens, keys, queries);
    }

    /** Exact normalized scores: each column's sum over all rows by the number of rows that see it. */
    private static double[] exactScores(Made made) {
        int n = made.count();
        double[] scores = new double[n];
        double[] row = new double[n];
        for (int i = 0; i < n; i++) {
            double sum = 0;
            for (int j = 0; j <= i; j++) {
                double score = 0;
                for (int c = 0; c < 64; c++) {
                    score += (double) made.queries()[i * 64 + c] * made.keys()[j * 64 + c];
                }
                row[j] = Math.exp(score / 8);
                sum += row[j];
            }
            for (int j = 0; j <= i; j++) {
                scores[j] += row[j] / sum / (n - j);
            }
        }
        return scores;
    }

    @ParameterizedTest
    @CsvSource({"probes, 0.78", "remaining, 0.23"})
    void aTenthOfTheRowsFindsMostOfWhatAllRowsFind(String nnz, double overlap) {
        double found = 0;
        int rounds = 5;
        for (int round = 0; round < rounds; round++) {
            Made made = randomPrompt(1000);
            double[] exact = exactScores(made);
            boolean[] chosen = chosen("zipcache(0.4, seed=" + round + ", nnz=" + nnz + ")", made);
            List<Integer> order = new ArrayList<>();
            for (int t = 0; t < 1000; t++) {
                order.add(t);
            }
            order.sort(Comparator.comparingDouble((Integer t) -> -exact[t]));
            for (int t : order.subList(0, 400)) {
                found += chosen[t] ? 1.0 / 400 / rounds : 0;
            }
        }
        assertThat(found).isCloseTo(overlap, offset(0.06));
    }

    @Test
    void aTokenThatLateQueriesLookForIsSalient() {
        for (int planted : new int[] {30, 300, 700}) {
            Made made = randomPrompt(1000);
            for (int t = 800; t < 1000; t++) {
                for (int c = 0; c < 64; c++) {
                    made.queries()[t * 64 + c] += made.keys()[planted * 64 + c];
                }
            }
            assertThat(chosen("zipcache(0.05)", made)[planted]).isTrue();
        }
    }
}
