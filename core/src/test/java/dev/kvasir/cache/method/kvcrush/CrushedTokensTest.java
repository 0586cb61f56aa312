package dev.kvasir.cache.method.kvcrush;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.selection.Anchor;
import dev.kvasir.cache.selection.Budget;
import dev.kvasir.cache.selection.MadeUpHeads;
import dev.kvasir.cache.selection.Signatures;
import dev.kvasir.cache.selection.TopTokens;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Which tokens stay, on scores that are made up. */
class CrushedTokensTest {
    private static final Steps STEPS = new Steps(new CacheShape(1, 1, 1, 2, 2), 1);
    private final Random random = new Random(77);

    private static CrushOptions options(double rho, Anchor anchor, int seed, int start, int recent, int page) {
        return new CrushOptions(rho, false, CrushOptions.Heads.KV_HEADS, 1, anchor, seed, start, recent, page, false);
    }

    private static TopTokens.Plan plan(int budget) {
        return new TopTokens.Plan(new Budget(budget, 1, 1, 1), 0, 0, 0, TopTokens.When.PROMPTS_AGAIN);
    }

    /** What one event found and kept. */
    private record Event(CrushEvent event, List<int[]> kept) {
        Signatures signatures() {
            return event.behaviour().signatures();
        }
    }

    private static Event event(CrushOptions options, int budget, float[][] scores, int group) {
        int tokens = scores[0].length;
        int heads = scores.length / group;
        try (PagePool pool = Steps.pool()) {
            CrushEvent event = new CrushEvent(options, heads, group);
            CrushedTokens tested = new CrushedTokens(
                    0,
                    MadeUpHeads.prompt(heads, tokens, pool),
                    MadeUpHeads.scores(scores, group),
                    plan(budget),
                    options,
                    event);
            tested.open(STEPS.states(0, 0, tokens), STEPS.queries(0, 0, tokens));
            List<int[]> kept = new ArrayList<>();
            for (int h = 0; h < heads; h++) {
                tested.rank(h);
            }
            for (int h = 0; h < heads; h++) {
                int[] staying = new int[tokens];
                int count = tested.choose(h, staying);
                assertThat(count).isEqualTo(tested.sizeAfter(0, 0, tokens));
                kept.add(Arrays.copyOf(staying, count));
            }
            return new Event(event, kept);
        }
    }

    private float[][] scores(int heads, int tokens) {
        float[][] scores = new float[heads][tokens];
        for (float[] head : scores) {
            for (int i = 0; i < tokens; i++) {
                head[i] = (float) Math.exp(2 * random.nextGaussian());
            }
        }
        return scores;
    }

    private static List<Map<Integer, Double>> evictable(float[][] scores, int group, int from, int to) {
        List<Map<Integer, Double>> heads = new ArrayList<>();
        for (int h = 0; h < scores.length / group; h++) {
            Map<Integer, Double> head = new HashMap<>();
            for (int i = from; i < to; i++) {
                float sum = 0;
                for (int g = 0; g < group; g++) {
                    sum += scores[h * group + g][i];
                }
                head.put(i, (double) sum);
            }
            heads.add(head);
        }
        return heads;
    }

    @ParameterizedTest
    @CsvSource({
        "zeros, 1",
        "ones, 1",
        "alternating, 1",
        "mean, 1",
        "inv_mean, 1",
        "zeros, 4",
        "alternating, 7",
        "inv_mean, 16"
    })
    void keepsWhatThePlainImplementationKeeps(String anchor, int page) {
        for (int round = 0; round < 40; round++) {
            int heads = 1 + random.nextInt(12);
            int tokens = 60 + random.nextInt(300);
            int start = page * random.nextInt(3);
            int recent = page * random.nextInt(3);
            double rho = random.nextInt(5) / 4.0;
            int budget = start + recent + page + random.nextInt(tokens);
            float[][] scores = scores(heads, tokens);
            CrushOptions options =
                    options(rho, Anchor.valueOf(anchor.toUpperCase(Locale.ROOT)), 0, start, recent, page);
            Event found = event(options, budget, scores, 1);

            int recentFrom = (tokens - recent) / page * page;
            int newest = tokens - recentFrom;
            int keep = Math.max(0, (budget - start - recent - page + 1) / page);
            List<Map<Integer, Double>> evictable = evictable(scores, 1, start, recentFrom);
            PlainCrush plain = new PlainCrush(evictable, evictable, page, rho);
            boolean[] pattern = plain.anchor(anchor);
            for (int h = 0; h < heads; h++) {
                Set<Integer> expected = new TreeSet<>();
                if (keep * page >= recentFrom - start) {
                    expected.addAll(range(0, tokens));
                } else {
                    expected.addAll(range(0, start));
                    expected.addAll(plain.stay(h, keep, pattern));
                    expected.addAll(range(recentFrom, tokens));
                    assertThat(expected)
                            .hasSize(start + keep * page + newest)
                            .hasSizeLessThanOrEqualTo(Math.max(budget, start + newest));
                }
                assertThat(Arrays.stream(found.kept().get(h)).boxed().toList()).isEqualTo(new ArrayList<>(expected));
            }
        }
    }

    private static List<Integer> range(int from, int to) {
        List<Integer> range = new ArrayList<>();
        for (int i = from; i < to; i++) {
            range.add(i);
        }
        return range;
    }

    @Test
    void everyHeadKeepsItsShareOfEachKind() {
        for (double rho : new double[] {0, 0.03, 0.25, 0.5, 1}) {
            float[][] scores = scores(8, 500);
            for (int[] kept : event(options(rho, Anchor.RANDOM, 0, 16, 40, 1), 150, scores, 1)
                    .kept()) {
                assertThat(kept).hasSize(150).isSorted().doesNotHaveDuplicates();
                assertThat(Arrays.copyOf(kept, 16))
                        .containsExactly(range(0, 16).stream().mapToInt(i -> i).toArray());
                assertThat(Arrays.copyOfRange(kept, 110, 150))
                        .containsExactly(
                                range(460, 500).stream().mapToInt(i -> i).toArray());
            }
        }
    }

    @Test
    void halfOfTheEvictableTokensHaveEachHeadsBit() {
        for (int tokens : new int[] {100, 101, 257}) {
            Event found = event(options(0.25, Anchor.ZEROS, 0, 10, 20, 1), 60, scores(6, tokens), 1);
            assertThat(found.signatures().rows()).isEqualTo(tokens - 30);
            assertThat(found.signatures().counts()).containsOnly((tokens - 30) / 2);
        }
        // The same of the tokens of pages.
        Event pages = event(options(0.25, Anchor.ZEROS, 0, 8, 16, 8), 100, scores(3, 203), 1);
        int[] counts = pages.signatures().counts();
        for (int h = 0; h < 3; h++) {
            int ones = 0;
            for (int t = 0; t < 8; t++) {
                ones += counts[t * 3 + h];
            }
            // 203 - 16 lies within the page that begins at 184: 8 to 184 can go.
            assertThat(ones).isEqualTo((184 - 8) / 2);
        }
    }

    @Test
    void permutedHeadsAndAnchorBitsChangeNothing() {
        float[][] scores = scores(5, 200);
        int[] order = {3, 0, 4, 1, 2};
        float[][] permuted = new float[5][];
        for (int h = 0; h < 5; h++) {
            permuted[h] = scores[order[h]];
        }
        Event one = event(options(0.5, Anchor.ZEROS, 0, 0, 8, 1), 50, scores, 1);
        Event other = event(options(0.5, Anchor.ZEROS, 0, 0, 8, 1), 50, permuted, 1);
        for (int h = 0; h < 5; h++) {
            assertThat(other.kept().get(h)).isEqualTo(one.kept().get(order[h]));
        }
        long[] anchor = one.signatures().pattern(bit -> bit == 1 || bit == 4);
        long[] moved = other.signatures().pattern(bit -> order[bit] == 1 || order[bit] == 4);
        long[] zeros = Anchor.ZEROS.pattern(one.signatures(), 0);
        long[] ones = Anchor.ONES.pattern(one.signatures(), 0);
        for (int row = 0; row < one.signatures().rows(); row++) {
            assertThat(other.signatures().distance(row, moved))
                    .isEqualTo(one.signatures().distance(row, anchor));
            assertThat(one.signatures().distance(row, zeros) + one.signatures().distance(row, ones))
                    .isEqualTo(5);
        }
    }

    @Test
    void anotherSeedMayChangeRepresentativesOnly() {
        float[][] scores = scores(8, 400);
        boolean changed = false;
        List<Map<Integer, Double>> evictable = evictable(scores, 1, 0, 390);
        PlainCrush important = new PlainCrush(evictable, evictable, 1, 0);
        Event first = event(options(0.4, Anchor.RANDOM, 0, 0, 10, 1), 110, scores, 1);
        for (int seed = 0; seed < 8; seed++) {
            Event found = event(options(0.4, Anchor.RANDOM, seed, 0, 10, 1), 110, scores, 1);
            assertThat(found.kept().getFirst())
                    .isEqualTo(event(options(0.4, Anchor.RANDOM, seed, 0, 10, 1), 110, scores, 1)
                            .kept()
                            .getFirst());
            for (int h = 0; h < 8; h++) {
                SortedSet<Integer> imp = important.stay(h, 60, new boolean[8]);
                assertThat(Arrays.stream(found.kept().get(h)).boxed().toList()).containsAll(imp);
                changed |= !Arrays.equals(found.kept().get(h), first.kept().get(h));
            }
        }
        assertThat(changed).isTrue();
    }

    @Test
    void theRandomPatternIsTheSameEverywhere() {
        Signatures signatures = new Signatures();
        signatures.reset(1, 1, 40);
        int ones = 0;
        StringBuilder text = new StringBuilder();
        long[] pattern = Anchor.RANDOM.pattern(signatures, 0);
        for (int i = 0; i < 40; i++) {
            text.append(pattern[0] >>> i & 1);
        }
        assertThat(text).hasToString(EXPECTED_RANDOM);
        signatures.reset(1, 3, 1000);
        for (long word : Anchor.RANDOM.pattern(signatures, 5)) {
            ones += Long.bitCount(word);
        }
        assertThat(ones).isBetween(1400, 1600);
    }

    private static final String EXPECTED_RANDOM = "1010101010101111100011001100001101111111";

    /** Scores of tokens of several kinds, which heads treat differently. */
    private float[][] kinds(int heads, int tokens, int kinds, int[] kindOf) {
        float[][] scores = new float[heads][tokens];
        float[][] taste = new float[heads][kinds];
        for (float[] head : taste) {
            for (int k = 0; k < kinds; k++) {
                head[k] = (float) Math.exp(1.5 * random.nextGaussian());
            }
        }
        for (int i = 0; i < tokens; i++) {
            kindOf[i] = random.nextInt(kinds);
            for (int h = 0; h < heads; h++) {
                scores[h][i] = taste[h][kindOf[i]] * (float) Math.exp(0.3 * random.nextGaussian());
            }
        }
        return scores;
    }

    @ParameterizedTest
    @EnumSource(Anchor.class)
    void representativesAreNearerToWhatWentThanMoreImportantTokensAre(Anchor anchor) {
        double with = 0;
        double without = 0;
        for (int round = 0; round < 20; round++) {
            float[][] scores = kinds(8, 400, 12, new int[400]);
            with += meanDistance(event(options(0.25, anchor, 0, 0, 0, 1), 60, scores, 1), 400);
            without += meanDistance(event(options(0, anchor, 0, 0, 0, 1), 60, scores, 1), 400);
        }
        assertThat(with).isLessThan(0.9 * without);
    }

    /** Mean over what the heads let go of the distance to the nearest kept token's signature. */
    private static double meanDistance(Event event, int tokens) {
        Signatures signatures = event.signatures();
        double sum = 0;
        int gone = 0;
        for (int[] kept : event.kept()) {
            Set<Integer> stays = new HashSet<>(Arrays.stream(kept).boxed().toList());
            for (int i = 0; i < tokens; i++) {
                if (stays.contains(i)) {
                    continue;
                }
                int at = event.event().behaviour().row(i);
                long[] own = signatures.pattern(bit -> signatures.get(at, 0, bit));
                int nearest = Integer.MAX_VALUE;
                for (int other : kept) {
                    nearest = Math.min(
                            nearest,
                            signatures.distance(event.event().behaviour().row(other), own));
                }
                sum += nearest;
                gone++;
            }
        }
        return sum / gone;
    }

    @Test
    void likeSignaturesAreSampledInEvenStrides() {
        // What the budget keeps for importance has a bit: with representatives alone, nobody has one.
        CrushOptions options =
                new CrushOptions(1, true, CrushOptions.Heads.KV_HEADS, 1, Anchor.RANDOM, 0, 0, 0, 1, false);
        Event found = event(options, 21, scores(4, 201), 1);
        for (int[] kept : found.kept()) {
            for (int j = 0; j < 21; j++) {
                assertThat(kept[j]).isEqualTo(10 * j);
            }
        }
    }

    /** The window sees one of several topics; the answer is in another. */
    @Test
    void keepsSomethingOfTopicsThatTheWindowDoesNotSee() {
        int with = 0;
        int without = 0;
        for (int round = 0; round < 30; round++) {
            int[] topicOf = new int[480];
            float[][] scores = kinds(8, 480, 6, topicOf);
            for (int i = 0; i < 480; i++) {
                for (float[] head : scores) {
                    head[i] *= topicOf[i] == 0 ? 100 : 1;
                }
            }
            with += topics(event(options(0.25, Anchor.ALTERNATING, 0, 0, 0, 1), 60, scores, 1), topicOf);
            without += topics(event(options(0, Anchor.ALTERNATING, 0, 0, 0, 1), 60, scores, 1), topicOf);
        }
        // Of 30 rounds, 8 heads and 6 topics.
        assertThat(without).isLessThan(30 * 8 * 2);
        assertThat(with).isGreaterThan(30 * 8 * 5);
    }

    private static int topics(Event event, int[] topicOf) {
        int topics = 0;
        for (int[] kept : event.kept()) {
            topics += (int) Arrays.stream(kept).map(i -> topicOf[i]).distinct().count();
        }
        return topics;
    }

    @Test
    void queryHeadsSpeakForThemselves() {
        float[][] scores = scores(6, 150);
        CrushOptions options =
                new CrushOptions(0.5, false, CrushOptions.Heads.QUERY_HEADS, 1, Anchor.ALTERNATING, 0, 0, 10, 1, false);
        Event found = event(options, 50, scores, 3);
        assertThat(found.signatures().bits()).isEqualTo(6);
        PlainCrush plain = new PlainCrush(evictable(scores, 3, 0, 140), evictable(scores, 1, 0, 140), 1, 0.5);
        for (int h = 0; h < 2; h++) {
            Set<Integer> expected = new TreeSet<>(plain.stay(h, 40, plain.anchor("alternating")));
            expected.addAll(range(140, 150));
            assertThat(Arrays.stream(found.kept().get(h)).boxed().toList()).isEqualTo(new ArrayList<>(expected));
        }
    }

    @Test
    void aPageMayHaveOneBitForEachTokenByAllHeadsTogether() {
        float[][] scores = scores(4, 200);
        CrushOptions options =
                new CrushOptions(0.5, false, CrushOptions.Heads.PAGE_1BIT, 1, Anchor.ZEROS, 0, 0, 8, 8, false);
        Event found = event(options, 95, scores, 1);
        assertThat(found.signatures().bits()).isEqualTo(8);
        float[][] together = new float[1][200];
        for (int i = 0; i < 200; i++) {
            for (float[] head : scores) {
                together[0][i] += head[i];
            }
        }
        PlainCrush plain = new PlainCrush(evictable(scores, 1, 0, 192), evictable(together, 1, 0, 192), 8, 0.5);
        for (int h = 0; h < 4; h++) {
            Set<Integer> expected = new TreeSet<>(plain.stay(h, 10, new boolean[8]));
            expected.addAll(range(192, 200));
            assertThat(Arrays.stream(found.kept().get(h)).boxed().toList()).isEqualTo(new ArrayList<>(expected));
        }
    }

    @Test
    void importanceMayBeDividedByAge() {
        float[][] scores = scores(3, 120);
        float[][] aged = new float[3][120];
        for (int h = 0; h < 3; h++) {
            for (int i = 0; i < 120; i++) {
                aged[h][i] = scores[h][i] / (120 - i);
            }
        }
        CrushOptions options =
                new CrushOptions(0.25, false, CrushOptions.Heads.KV_HEADS, 1, Anchor.RANDOM, 0, 0, 10, 1, true);
        Event found = event(options, 40, scores, 1);
        Event expected = event(options(0.25, Anchor.RANDOM, 0, 0, 10, 1), 40, aged, 1);
        for (int h = 0; h < 3; h++) {
            assertThat(found.kept().get(h)).isEqualTo(expected.kept().get(h));
        }
    }
}
