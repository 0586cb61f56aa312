package dev.kvasir.cache.method.mikv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.RowKeys;
import dev.kvasir.cache.store.Scratch;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What balancing keys and queries does to scores, on made-up keys with outlier channels. */
final class BalancerTest {
    private static final int D = 128;
    private static final int TOKENS = 1024;
    private static final CacheShape SHAPE = new CacheShape(1, 1, 1, D, D);

    private final Random random = new Random(12);
    private final Scratch scratch = new Scratch();

    private float[] gaussian(double... outliers) {
        float[] rows = new float[TOKENS * D];
        for (int i = 0; i < rows.length; i++) {
            int c = i % D;
            boolean outlier = c % 21 == 4 && c < 126;
            rows[i] = (float) (random.nextGaussian() * (outlier ? outliers[0] : 1));
        }
        return rows;
    }

    private Balancer measured(PagePool pool, float[] keys, float[] queries) {
        Balancer balancer = new Balancer(SHAPE, pool);
        try (PagePool.Claim claim = pool.claim(balancer.wantedBytes())) {
            balancer.reserve(claim);
        }
        balancer.clear();
        balancer.measure(0, keys, queries, TOKENS);
        return balancer;
    }

    private PackedKeys packed(PagePool pool, int bits) {
        PackedLayout layout = new PackedLayout(128, D, bits, D / 2, Axis.PER_LANE, Quantizer.MIN_MAX);
        return new PackedKeys(pool, Kernels.best(), layout);
    }

    private void fill(RowKeys store, PagePool pool, float[] keys) {
        try (PagePool.Claim claim = pool.claim(store.wantedBytes(TOKENS))) {
            store.reserve(TOKENS, claim);
        }
        store.append(keys, 0, D, TOKENS, scratch);
    }

    /** Norm of the error of the scores of some queries, by the norm of the scores. */
    private double error(RowKeys store, float[] keys, float[] queries) {
        double error = 0;
        double norm = 0;
        for (int q = 0; q < 32; q++) {
            float[] prepared = new float[D];
            float[] found = new float[TOKENS + 32];
            store.prepare(queries, q * D, 1, D, prepared, 0, scratch);
            store.scores(prepared, 0, 1, 0, TOKENS, found, 0, TOKENS, scratch);
            for (int t = 0; t < TOKENS; t++) {
                double score = 0;
                for (int c = 0; c < D; c++) {
                    score += (double) queries[q * D + c] * keys[t * D + c];
                }
                error += (found[t] - score) * (found[t] - score);
                norm += score * score;
            }
        }
        return Math.sqrt(error / norm);
    }

    private double[] errors(int bits, float[] keys, float[] queries) {
        try (PagePool pool = Steps.pool()) {
            RowKeys balanced = new BalancedKeys(packed(pool, bits), measured(pool, keys, queries), 0, D);
            RowKeys plain = packed(pool, bits);
            fill(balanced, pool, keys);
            fill(plain, pool, keys);
            return new double[] {error(balanced, keys, queries), error(plain, keys, queries)};
        }
    }

    @ParameterizedTest
    @CsvSource({"2, 0.33, 0.83", "3, 0.14, 0.35", "4, 0.066, 0.16"})
    void outlierChannelsOfKeysNoLongerDrownTheOthers(int bits, double balanced, double plain) {
        double[] errors = errors(bits, gaussian(10), gaussian(1));
        assertThat(errors[0]).isCloseTo(balanced, offset(0.1 * balanced));
        assertThat(errors[1]).isCloseTo(plain, offset(0.1 * plain));
    }

    @Test
    void helpsMostWhereQueriesAreSmallInTheKeysOutlierChannels() {
        double[] errors = errors(2, gaussian(10), gaussian(0.1));
        assertThat(errors[0]).isLessThan(0.55);
        assertThat(errors[1]).isGreaterThan(3 * errors[0]);
    }

    @Test
    void isNotWorseWhereQueriesShareTheKeysOutliers() {
        double[] errors = errors(2, gaussian(10), gaussian(10));
        assertThat(errors[0]).isLessThan(1.05 * errors[1]);
    }

    @Test
    void changesNoCodeWhereQueriesAreProportionalToKeys() {
        float[] keys = gaussian(10);
        float[] queries = new float[keys.length];
        for (int i = 0; i < keys.length; i++) {
            queries[i] = 4 * keys[i];
        }
        try (PagePool pool = Steps.pool()) {
            Balancer balancer = measured(pool, keys, queries);
            PackedKeys inner = packed(pool, 2);
            RowKeys balanced = new BalancedKeys(inner, balancer, 0, D);
            PackedKeys plain = packed(pool, 2);
            fill(balanced, pool, keys);
            fill(plain, pool, keys);
            float[] a = new float[D];
            float[] b = new float[D];
            for (int t = 0; t < TOKENS; t++) {
                // b = 2 in every channel: an exact factor, so that what is decoded is the same.
                assertThat(balancer.factor(0, t % D)).isEqualTo(2f);
                balanced.row(t, a, 0, scratch);
                plain.row(t, b, 0, scratch);
                assertThat(a).isEqualTo(b);
            }
        }
    }

    @Test
    void scoresStayAndNothingOverflowsWhateverTheSpread() {
        float[] keys = gaussian(1);
        float[] queries = gaussian(1);
        for (int i = 0; i < keys.length; i++) {
            // Largest magnitudes of keys from 1e-3 to 1e3, of queries the other way round: b from 1e3 to 1e-3.
            double spread = Math.pow(10, 3 - 6.0 * (i % D) / (D - 1));
            keys[i] *= (float) spread;
            queries[i] /= (float) spread;
        }
        try (PagePool pool = Steps.pool()) {
            Balancer balancer = measured(pool, keys, queries);
            assertThat(balancer.factor(0, 0)).isLessThan(2e-3f);
            assertThat(balancer.factor(0, D - 1)).isGreaterThan(500f);
            float[] k = new float[D];
            float[] q = new float[D];
            for (int t = 0; t < TOKENS; t++) {
                balancer.balance(0, keys, t * D, k, 0);
                balancer.unbalance(0, queries, t * D, q, 0);
                double plain = 0;
                double balanced = 0;
                double size = 0;
                for (int c = 0; c < D; c++) {
                    plain += (double) keys[t * D + c] * queries[t * D + c];
                    balanced += (double) k[c] * q[c];
                    size += Math.abs((double) keys[t * D + c] * queries[t * D + c]);
                    assertThat(Math.abs(k[c])).isLessThan(65504f);
                }
                assertThat(Math.abs(plain - balanced)).isLessThanOrEqualTo(1e-6 * size);
            }
        }
    }
}
