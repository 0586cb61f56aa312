package dev.kvasir.cache.method.a2ats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.codebook.VectorKMeans;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.tensor.RotaryTable;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Code vectors in the queries' metric, on synthetic keys and queries. */
class KeyCodebookTest {
    private static final int D = 32;
    private static final VectorKMeans.Limits LIMITS = new VectorKMeans.Limits(100, 1e-4);
    private final Random random = new Random(77);

    private float[][] gaussian(int count, ToDoubleFunction<Integer> deviation) {
        float[][] rows = new float[count][D];
        for (float[] row : rows) {
            for (int i = 0; i < D; i++) {
                row[i] = (float) (random.nextGaussian() * deviation.applyAsDouble(i));
            }
        }
        return rows;
    }

    private static QueryMetric metric(float[][] queries) {
        double[][] moments = new double[D][D];
        for (float[] q : queries) {
            for (int i = 0; i < D; i++) {
                for (int j = 0; j <= i; j++) {
                    moments[i][j] += q[i] * (double) q[j];
                }
            }
        }
        return QueryMetric.of(moments);
    }

    private static KeyCodebook fit(float[][] keys, QueryMetric metric, int codes) {
        float[] points = new float[keys.length * D];
        for (int i = 0; i < keys.length; i++) {
            metric.apply(keys[i], 0, points, i * D);
        }
        VectorKMeans fit = VectorKMeans.fit(points, keys.length, D, codes, LIMITS, 5, Kernels.best());
        float[] flat = new float[codes * D];
        for (int c = 0; c < codes; c++) {
            System.arraycopy(fit.centres()[c], 0, flat, c * D, D);
        }
        return new KeyCodebook(Kernels.best(), metric, flat, 0, codes);
    }

    private static int[] codes(KeyCodebook codebook, float[][] keys) {
        int[] codes = new int[keys.length];
        int[] at = {0};
        float[] flat = new float[keys.length * D];
        for (int i = 0; i < keys.length; i++) {
            System.arraycopy(keys[i], 0, flat, i * D, D);
        }
        codebook.codes(flat, 0, D, keys.length, new Scratch(), code -> codes[at[0]++] = code);
        return codes;
    }

    private static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < D; i++) {
            sum += a[i] * (double) b[i];
        }
        return sum;
    }

    /** Item 2 of the specification: the mean square score of a difference is its square length in the metric, times a constant. */
    @Test
    void metricMeasuresTheMeanSquareScore() {
        float[][] mixing = gaussian(D, i -> 1);
        float[][] queries = gaussian(3000, i -> 1);
        for (float[] q : queries) {
            float[] plain = q.clone();
            for (int i = 0; i < D; i++) {
                q[i] = (float) (dot(mixing[i], plain) * (1 + i % 5));
            }
        }
        QueryMetric metric = metric(queries);
        double least = Double.POSITIVE_INFINITY;
        double most = 0;
        for (float[] difference : gaussian(50, i -> 1)) {
            double mean = Arrays.stream(queries)
                    .mapToDouble(q -> dot(q, difference))
                    .map(s -> s * s)
                    .average()
                    .orElseThrow();
            float[] z = new float[D];
            metric.apply(difference, 0, z, 0);
            double ratio = mean / dot(z, z);
            least = Math.min(least, ratio);
            most = Math.max(most, ratio);
        }
        assertThat(most / least - 1).isLessThan(1e-5);
    }

    @Test
    void keysComeBackFromTheMetricsSpace() {
        QueryMetric metric = metric(gaussian(500, i -> Math.pow(0.8, i)));
        for (float[] key : gaussian(20, i -> 1)) {
            float[] z = new float[D];
            metric.apply(key, 0, z, 0);
            double[] back = metric.invert(z, 0);
            for (int i = 0; i < D; i++) {
                assertThat(back[i]).isCloseTo(key[i], org.assertj.core.data.Offset.offset(2e-3));
            }
        }
    }

    /** Error of scores, recall of the true best 3 %, error of keys, all on keys and queries not learnt from. */
    private double[] measure(KeyCodebook codebook, float[][] keys, float[][] queries) {
        int[] codes = codes(codebook, keys);
        double scoreError = 0;
        double recall = 0;
        double keyError = 0;
        int k = keys.length * 3 / 100;
        for (int t = 0; t < keys.length; t++) {
            float[] vector = codebook.vector(codes[t]);
            for (int i = 0; i < D; i++) {
                keyError += Math.pow(keys[t][i] - vector[i], 2);
            }
        }
        for (float[] q : queries) {
            float[] table = new float[codebook.codes()];
            codebook.scores(q, 0, 1, table);
            double[] exact = Arrays.stream(keys).mapToDouble(key -> dot(q, key)).toArray();
            for (int t = 0; t < keys.length; t++) {
                scoreError += Math.pow(exact[t] - table[codes[t]], 2);
            }
            var best = best(t -> exact[t], keys.length, k);
            best.retainAll(best(t -> table[codes[t]], keys.length, k));
            recall += best.size() / (double) k;
        }
        return new double[] {
            scoreError / keys.length / queries.length, recall / queries.length, keyError / keys.length / D
        };
    }

    private static java.util.Set<Integer> best(ToDoubleFunction<Integer> score, int count, int k) {
        return IntStream.range(0, count)
                .boxed()
                .sorted(Comparator.comparingDouble(score).reversed())
                .limit(k)
                .collect(java.util.stream.Collectors.toSet());
    }

    /** Item 3. */
    @Test
    void queryAwareVectorsErrLessWhereQueriesLook() {
        ToDoubleFunction<Integer> looks = i -> i % 4 == 0 ? 2 : 0.5;
        QueryMetric aware = metric(gaussian(2000, looks));
        float[][] learnt = gaussian(6000, i -> 1);
        KeyCodebook withMetric = fit(learnt, aware, 256);
        KeyCodebook without = fit(learnt, QueryMetric.plain(D), 256);
        float[][] keys = gaussian(2000, i -> 1);
        float[][] queries = gaussian(40, looks);
        double[] found = measure(withMetric, keys, queries);
        double[] plain = measure(without, keys, queries);
        assertThat(found[0]).isLessThan(0.9 * plain[0]);
        assertThat(found[1]).isGreaterThan(plain[1]);
        // What it costs, and may cost: keys themselves are farther from their vectors.
        assertThat(found[2]).isGreaterThan(plain[2]);
    }

    /** Item 3: where all directions are looked at alike, there is nothing to gain. */
    @Test
    void queryAwareVectorsArePlainOnesWhereQueriesLookEverywhere() {
        double[][] identity = new double[D][D];
        for (int i = 0; i < D; i++) {
            identity[i][i] = 3;
        }
        float[][] keys = gaussian(600, i -> 1);
        QueryMetric metric = QueryMetric.of(identity);
        // The scale is of no account: the same clusters.
        assertThat(codes(fit(keys, metric, 32), keys)).isEqualTo(codes(fit(keys, QueryMetric.plain(D), 32), keys));
    }

    /** Item 4: one codebook for all positions, because keys are quantized before RoPE. */
    @Test
    void vectorsOfKeysAfterRopeFailAtOtherPositions() {
        RotaryTable rotary = RotaryTable.of(D, 10_000);
        rotary.reach(4000);
        float[][] kinds = gaussian(60, i -> 1);
        float[][] before = gaussian(3000, i -> 0.3);
        float[][] after = new float[3000][D];
        float[][] elsewhere = new float[3000][D];
        for (int t = 0; t < before.length; t++) {
            for (int i = 0; i < D; i++) {
                before[t][i] += kinds[t % 60][i];
            }
            // Texts of 300 tokens to learn from; another one at positions that were never seen.
            rotary.rotate(t % 300, 1, before[t], 0, after[t], 0);
            rotary.rotate(2000 + t % 1500, 1, before[t], 0, elsewhere[t], 0);
        }
        KeyCodebook pre = fit(before, QueryMetric.plain(D), 128);
        KeyCodebook post = fit(after, QueryMetric.plain(D), 128);
        double errorBefore = keyError(pre, before);
        assertThat(keyError(post, elsewhere)).isGreaterThan(3 * errorBefore);
        // A key's code is that of its text, wherever that stands: nothing here depends on a position.
        assertThat(codes(pre, Arrays.copyOfRange(before, 1000, 1100)))
                .isEqualTo(Arrays.copyOfRange(codes(pre, before), 1000, 1100));
    }

    private static double keyError(KeyCodebook codebook, float[][] keys) {
        int[] codes = codes(codebook, keys);
        double error = 0;
        for (int t = 0; t < keys.length; t++) {
            float[] vector = codebook.vector(codes[t]);
            for (int i = 0; i < D; i++) {
                error += Math.pow(keys[t][i] - vector[i], 2);
            }
        }
        return error / keys.length / D;
    }

    /** Item 5: without quantization, what is left of the error is that of one position for all; at that position nothing is left. */
    @Test
    void errorIsThatOfQuantizationAndThatOfOneFarPosition() {
        int far = 512;
        RotaryTable rotary = RotaryTable.of(D, 10_000);
        rotary.reach(2000);
        // 70 code vectors: one whole panel and one cut one.
        float[][] vectors = gaussian(70, i -> 1);
        QueryMetric metric = metric(gaussian(500, i -> 1 + i % 3));
        float[] flat = new float[70 * D];
        for (int c = 0; c < 70; c++) {
            metric.apply(vectors[c], 0, flat, c * D);
        }
        KeyCodebook codebook = new KeyCodebook(Kernels.best(), metric, flat, 0, 70);
        double windowed = 0;
        double quantized = 0;
        double both = 0;
        for (float[] q : gaussian(30, i -> 1)) {
            float[] turned = new float[D];
            rotary.rotate(far, 1, q, 0, turned, 0);
            float[] table = new float[70];
            codebook.scores(turned, 0, 1, table);
            float[][] keys = gaussian(60, i -> 0.2);
            for (int t = 0; t < keys.length; t++) {
                int kind = random.nextInt(70);
                assertThat(codes(codebook, new float[][] {vectors[kind]})).containsExactly(kind);
                // The query at 1500, the key at a distance of 512: the score told is the exact one.
                assertThat((double) table[kind])
                        .isCloseTo(
                                score(rotary, q, 1500, vectors[kind], 1500 - far),
                                org.assertj.core.data.Offset.offset(2e-3));
                int position = random.nextInt(1400);
                windowed += square(table[kind] - score(rotary, q, 1500, vectors[kind], position));
                for (int i = 0; i < D; i++) {
                    keys[t][i] += vectors[kind][i];
                }
                int code = codes(codebook, new float[][] {keys[t]})[0];
                quantized += square(table[code] - score(rotary, q, 1500, keys[t], 1500 - far));
                both += square(table[code] - score(rotary, q, 1500, keys[t], position));
            }
        }
        // The two parts hardly know of each other: their squares add up.
        assertThat(both).isBetween(0.8 * (windowed + quantized), 1.2 * (windowed + quantized));
        assertThat(quantized).isPositive();
    }

    private static double square(double x) {
        return x * x;
    }

    private static double score(RotaryTable rotary, float[] q, int at, float[] key, int position) {
        float[] turnedQuery = new float[D];
        float[] turnedKey = new float[D];
        rotary.rotate(at, 1, q, 0, turnedQuery, 0);
        rotary.rotate(position, 1, key, 0, turnedKey, 0);
        return dot(turnedQuery, turnedKey);
    }
}
