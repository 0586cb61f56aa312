package dev.kvasir.cache.importance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.TokenNumbers;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which rows are asked, what columns add up to, who leaves a tier. */
final class ImportanceTest {
    private final Random random = new Random(1);

    private static List<Integer> asked(RowFilter rows, int first, int count) {
        rows.begin(first, count);
        List<Integer> asked = new ArrayList<>();
        for (int t = 0; t < count; t++) {
            if (rows.wants(t)) {
                asked.add(t);
            }
        }
        return asked;
    }

    @ParameterizedTest
    @ValueSource(ints = {20, 39, 40, 100, 999, 1000})
    void probesOfAPromptAreTheNewestAndAsManyDrawn(int tokens) {
        int share = tokens / 20;
        List<Integer> asked = asked(new ProbeRows(0.05, 0.05, 100, 7), 0, tokens);
        assertThat(asked).hasSize(2 * share);
        for (int t = tokens - share; t < tokens; t++) {
            assertThat(asked).contains(t);
        }
        assertThat(asked(new ProbeRows(0.05, 0.05, 100, 7), 0, tokens)).isEqualTo(asked);
        assertThat(asked(new ProbeRows(0.05, 0, 100, 7), 0, tokens)).hasSize(share);
        assertThat(asked(new ProbeRows(0, 0.1, 100, 7), 0, tokens)).hasSize(tokens / 10);
        assertThat(asked(new ProbeRows(1, 0, 100, 7), 0, tokens)).hasSize(tokens);
    }

    @Test
    void otherSeedsDrawOthersAndAllPlacesAreDrawn() {
        boolean[] ever = new boolean[200];
        for (int seed = 0; seed < 200; seed++) {
            asked(new ProbeRows(0.05, 0.05, 100, seed), 0, 200).forEach(t -> ever[t] = true);
        }
        assertThat(ever).containsOnly(true);
    }

    @Test
    void shortPromptsAreAskedWhole() {
        assertThat(asked(new ProbeRows(0.05, 0.05, 100, 1), 0, 19)).hasSize(19);
    }

    @Test
    void decodedTokensAreAskedAtTheEndOfTheirWindowOrByChance() {
        ProbeRows rows = new ProbeRows(0.05, 0.05, 100, 3);
        int asked = 0;
        for (int window = 0; window < 100; window++) {
            for (int at = 0; at < 100; at++) {
                rows.expect(at);
                int found = asked(rows, 500 + 100 * window + at, 1).size();
                if (at >= 95) {
                    assertThat(found).isEqualTo(1);
                } else {
                    asked += found;
                }
            }
        }
        assertThat(asked / 9500.0).isCloseTo(0.05, within(0.01));
        // Several at once are asked as they would be one by one.
        for (int at : new int[] {0, 50, 93}) {
            rows.expect(at);
            List<Integer> together = asked(rows, 2000 + at, 7);
            for (int t = 0; t < 7; t++) {
                rows.expect(at + t);
                assertThat(asked(rows, 2000 + at + t, 1)).hasSize(together.contains(t) ? 1 : 0);
            }
        }
    }

    @Test
    void lastRowsAreAWindow() {
        assertThat(asked(new LastRows(3), 0, 10)).containsExactly(7, 8, 9);
        assertThat(asked(new LastRows(3), 10, 2)).containsExactly(0, 1);
        assertThat(asked(RowFilter.ALL, 0, 4)).hasSize(4);
    }

    @Test
    void columnsAddUpWhatTheyAreGiven() {
        float[][] stored = new float[2][50];
        ColumnSums sums = new ColumnSums(2, RowFilter.ALL, (kvHead, slot, weights, offset, count) -> {
            for (int i = 0; i < count; i++) {
                stored[kvHead][slot + i] += weights[offset + i];
            }
        });
        for (int count : new int[] {1, 30, 5000, 2}) {
            sums.expect(100, 10);
            sums.begin(50, count);
            assertThat(sums.fromSlot()).isEqualTo(10);
            assertThat(sums.toSlot()).isEqualTo(50);
            double[] expected = new double[50 + count];
            float[] before = stored[1].clone();
            for (int row = 0; row < Math.min(count, 20); row++) {
                float[] weights = new float[50 + row + 1 + 3];
                for (int i = 10; i < 50 + row + 1; i++) {
                    weights[3 + i] = random.nextFloat();
                    expected[i] += weights[3 + i];
                }
                sums.observe(1, row, weights, 3 + 10, 10, 40);
                sums.observe(1, row, weights, 3 + 50, 50, row + 1);
            }
            for (int i = 0; i < 50; i++) {
                assertThat((double) stored[1][i] - before[i]).isCloseTo(expected[i], within(1e-4));
                assertThat(stored[0][i]).isZero();
            }
            for (int t = 0; t < count; t++) {
                assertThat((double) sums.own(1, t)).isCloseTo(expected[50 + t], within(1e-4));
                assertThat(sums.own(0, t)).isZero();
            }
        }
    }

    @Test
    void sumsAreDividedByWhoCouldSee() {
        assertThat(Visibility.PROBES.normalize(3, 6, 100)).isEqualTo(0.5f);
        assertThat(Visibility.REMAINING.normalize(3, 6, 100)).isEqualTo(0.03f);
        assertThat(Visibility.PROBES.normalize(0, 0, 100)).isZero();
    }

    private static TokenTier tier(PagePool pool) {
        return new TokenTier(
                new ExactKeys(pool, Kernels.best(), Element.F32, 16, 64, false),
                new ExactValues(pool, Kernels.best(), Element.F32, 16, 64, 0),
                new TokenNumbers(pool));
    }

    private static void admit(Tiers tiers, PagePool pool, float[] scores, int first, int highSize, int recent) {
        ColumnSums sums = new ColumnSums(1, RowFilter.ALL, (kvHead, slot, weights, offset, count) -> {});
        sums.begin(tiers.size(), scores.length);
        for (int t = 0; t < scores.length; t++) {
            sums.observe(0, t, scores, t, tiers.size() + t, 1);
        }
        float[] rows = new float[scores.length * 16];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = first + i / 16 + i % 16 / 100f;
        }
        try (PagePool.Claim claim = pool.claim(tiers.wantedBytes(scores.length, highSize))) {
            tiers.reserve(scores.length, highSize, claim);
        }
        StepRows step = new StepRows(1, 16);
        step.take(OneStep.states(first, scores.length, rows, rows), first);
        tiers.admit(step, 0, sums, highSize, recent, new Scratch());
    }

    private static List<Integer> positions(TokenTier tier) {
        List<Integer> positions = new ArrayList<>();
        float[] row = new float[16];
        for (int slot = 0; slot < tier.size(); slot++) {
            positions.add(tier.position(slot));
            // The rows travel with their positions.
            tier.keys().row(slot, row, 0, new Scratch());
            assertThat(row[15]).isEqualTo(tier.position(slot) + 0.15f);
            tier.values().row(slot, row, 0, new Scratch());
            assertThat(row[15]).isEqualTo(tier.position(slot) + 0.15f);
        }
        return positions;
    }

    @Test
    void ofEqualScoresTheOlderLeaves() {
        PagePool pool = Steps.pool();
        Tiers tiers = new Tiers(16, tier(pool), Optional.of(tier(pool)), new TokenNumbers(pool));
        admit(tiers, pool, new float[] {1, 2, 1, 3, 1, 0, 5}, 0, 4, 1);
        assertThat(positions(tiers.high())).containsExactly(1, 3, 4, 6);
        assertThat(positions(tiers.low().orElseThrow())).containsExactly(0, 2, 5);
        // The newest two stay; 4 has the lowest score, and what comes takes its place.
        admit(tiers, pool, new float[] {0}, 7, 4, 2);
        assertThat(positions(tiers.high())).containsExactly(1, 3, 7, 6);
        assertThat(positions(tiers.low().orElseThrow())).containsExactly(0, 2, 5, 4);
        // Of 1, 3 and the three that come, scores 2, 3 and 2, 9, 2, three must go.
        admit(tiers, pool, new float[] {2, 9, 2}, 8, 4, 0);
        assertThat(positions(tiers.high())).containsExactly(9, 3, 10, 6);
        assertThat(positions(tiers.low().orElseThrow())).containsExactly(0, 2, 5, 4, 1, 7, 8);
        tiers.release();
        assertThat(pool.usedBytes()).isZero();
    }

    @Test
    void withoutALowTierTokensAreDropped() {
        PagePool pool = Steps.pool();
        Tiers tiers = new Tiers(16, tier(pool), Optional.empty(), new TokenNumbers(pool));
        admit(tiers, pool, new float[] {1, 2, 1, 3, 1, 0, 5}, 0, 4, 1);
        assertThat(positions(tiers.high())).containsExactly(1, 3, 4, 6);
        assertThat(tiers.size()).isEqualTo(4);
    }

    @Test
    void randomTiersAgreeWithSortedLists() {
        for (int round = 0; round < 30; round++) {
            PagePool pool = Steps.pool();
            Tiers tiers = new Tiers(16, tier(pool), Optional.of(tier(pool)), new TokenNumbers(pool));
            List<float[]> important = new ArrayList<>();
            int length = 0;
            while (length < 400) {
                float[] scores = new float[random.nextInt(3) == 0 ? 1 + random.nextInt(90) : 1];
                for (int t = 0; t < scores.length; t++) {
                    scores[t] = random.nextInt(6) * 0.5f;
                    important.add(new float[] {scores[t], length + t});
                }
                int highSize = (length + scores.length) / 3;
                int recent = highSize / 2;
                int end = length + scores.length;
                admit(tiers, pool, scores, length, highSize, recent);
                important.sort((a, b) -> a[0] != b[0] ? Float.compare(a[0], b[0]) : Float.compare(a[1], b[1]));
                for (int i = 0; important.size() > highSize; ) {
                    if (important.get(i)[1] < end - recent) {
                        important.remove(i);
                    } else {
                        i++;
                    }
                }
                length = end;
                assertThat(positions(tiers.high()))
                        .containsExactlyInAnyOrderElementsOf(
                                important.stream().map(token -> (int) token[1]).toList());
                assertThat(tiers.size()).isEqualTo(length);
            }
            tiers.release();
            assertThat(pool.usedBytes()).isZero();
        }
    }
}
