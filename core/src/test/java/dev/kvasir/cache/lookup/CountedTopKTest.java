package dev.kvasir.cache.lookup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.store.TokenCodes;
import java.util.BitSet;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class CountedTopKTest {
    private final Random random = new Random(2);

    private static TokenCodes codes(PagePool pool, int[] ids) {
        TokenCodes codes = new TokenCodes(pool);
        try (PagePool.Claim claim = pool.claim(codes.wantedBytes(ids.length))) {
            codes.reserve(ids.length, claim);
        }
        for (int id : ids) {
            codes.append(id);
        }
        return codes;
    }

    /** Marks by sorting all candidates: higher scores first, of equal ones the lower token. */
    private static void sorted(int[] ids, int from, int to, float[] table, int offset, int k, BitSet marks) {
        IntStream.range(from, to)
                .boxed()
                .sorted(Comparator.<Integer>comparingDouble(t -> 0.0 - table[offset + ids[t]])
                        .thenComparing(t -> t))
                .limit(k)
                .forEach(marks::set);
    }

    @Test
    void marksWhatSortingMarksForEveryHeadAndNothingElse() {
        CountedTopK counted = new CountedTopK();
        Chosen chosen = new Chosen();
        try (PagePool pool = Steps.pool()) {
            for (int trial = 0; trial < 300; trial++) {
                int tokens = 1 + random.nextInt(1500);
                int count = 1 + random.nextInt(trial % 3 == 0 ? 5 : 300);
                int heads = trial % 10 == 0 ? 70 : 1 + random.nextInt(8);
                int[] ids = random.ints(tokens, 0, count).toArray();
                float[] table = new float[heads * count];
                for (int i = 0; i < table.length; i++) {
                    // Coarse scores tie often; zeros of both signs are equal.
                    table[i] = trial % 2 == 0
                            ? (float) random.nextGaussian()
                            : (random.nextInt(7) - 3) * 0.5f * (i % 2 == 0 ? 1 : -1);
                }
                int from = random.nextInt(tokens);
                int to = from + random.nextInt(tokens - from + 1);
                int k = random.nextInt(tokens + 2);
                BitSet expected = new BitSet();
                for (int h = 0; h < heads; h++) {
                    sorted(ids, from, to, table, h * count, k, expected);
                }
                TokenCodes codes = codes(pool, ids);
                chosen.clear(tokens);
                counted.mark(codes, from, to, count, table, heads, k, chosen);
                chosen.list();
                codes.release();
                assertThat(IntStream.of(chosen.slots()).limit(chosen.count()))
                        .containsExactlyElementsOf(expected.stream().boxed().toList());
            }
        }
    }

    @Test
    void saysHowManySlotsWholeRunsHold() {
        Chosen chosen = new Chosen();
        chosen.clear(70);
        chosen.mark(0);
        chosen.mark(31);
        chosen.mark(66, 100);
        chosen.list();
        assertThat(chosen.count()).isEqualTo(6);
        assertThat(chosen.touched(32)).isEqualTo(32 + 6);
        assertThat(chosen.isMarked(66)).isTrue();
        assertThat(chosen.isMarked(65)).isFalse();
        chosen.clear(70);
        chosen.list();
        assertThat(chosen.count()).isZero();
    }

    @Test
    void thresholdIsTheScoreThatTheBestReach() {
        Threshold threshold = new Threshold();
        float[] scores = {3, -1, 3, Float.NEGATIVE_INFINITY, 7, -0.0f, 0.0f, -5};
        int[] weights = {2, 1, 1, 4, 0, 1, 1, 3};
        threshold.find(scores, 0, 8, weights, 3);
        assertThat(threshold.compare(3)).isZero();
        assertThat(threshold.compare(7)).isPositive();
        assertThat(threshold.left()).isEqualTo(3);
        threshold.find(scores, 0, 8, weights, 5);
        assertThat(threshold.compare(0.0f)).isZero();
        assertThat(threshold.compare(-0.0f)).isZero();
        assertThat(threshold.left()).isEqualTo(2);
        threshold.find(scores, 0, 8, weights, 13);
        assertThat(threshold.compare(Float.NEGATIVE_INFINITY)).isZero();
        assertThat(threshold.left()).isEqualTo(4);
    }
}
