package dev.kvasir.cache.method.mikv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.importance.Tiers;
import dev.kvasir.cache.importance.TokenTier;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.tensor.Workers;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the paper's cache must do: tiers, scores, balancer, bytes. */
final class MikvTest {
    private static final CacheShape SHAPE = new CacheShape(1, 4, 2, 64, 64);
    private final Steps steps = new Steps(SHAPE, 17);
    private final Random random = new Random(6);

    private static SequenceCache create(String spec, CacheShape shape, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential());
    }

    private static SequenceCache create(String spec, PagePool pool) {
        return create(spec, SHAPE, pool);
    }

    private static Tiers head(SequenceCache cache, int kvHead) {
        return ((MikvLayer) cache.store(0)).head(kvHead);
    }

    private static List<Integer> positions(TokenTier tier) {
        List<Integer> positions = new ArrayList<>();
        for (int slot = 0; slot < tier.size(); slot++) {
            positions.add(tier.position(slot));
        }
        positions.sort(null);
        return positions;
    }

    @Test
    void everythingImportantIsTheExactCache() {
        try (PagePool pool = Steps.pool();
                KvCache mikv = create("mikv(ratio=1)", pool);
                KvCache exact = create("exact(f16)", pool)) {
            for (int count : new int[] {150, 1, 1, 1, 70, 1, 33, 1, 1}) {
                assertThat(steps.feed(mikv, count)).isEqualTo(steps.feed(exact, count));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void nothingImportantIsRoundingPerToken(int bits) {
        try (PagePool pool = Steps.pool();
                KvCache mikv = create("mikv(ratio=0, balancer=false, group=32, bits=" + bits + ")", pool);
                KvCache rtn = create("kivi(k_axis=token, residual=0, bits=" + bits + ")", pool)) {
            for (int count : new int[] {1, 150, 1, 1, 70, 1, 33, 1}) {
                assertThat(steps.feed(mikv, count)).isEqualTo(steps.feed(rtn, count));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0.2, 2, 16, true, 4, 1, 64",
        "0.2, 2, 16, true, 4, 4, 64",
        "0.2, 2, 16, true, 8, 1, 64",
        "0.25, 3, 16, true, 2, 2, 128",
        "0.5, 4, 16, false, 4, 2, 96",
        "0.2, 0, 16, true, 4, 2, 64",
        "0.35, 0, 16, true, 8, 2, 64",
        "0, 2, 16, true, 4, 2, 256",
        "0.2, 2, 8, true, 4, 2, 64",
        "0.3, 2, 4, true, 4, 1, 128",
        "0.3, 2, 2, false, 4, 2, 64",
        "1, 2, 4, true, 4, 2, 64"
    })
    void equalsPlainLoops(double ratio, int bits, int high, boolean balancer, int heads, int kvHeads, int d) {
        CacheShape shape = new CacheShape(1, heads, kvHeads, d, 64);
        Steps wide = new Steps(shape, random.nextLong());
        MikvReference plain = new MikvReference(shape, wide, ratio, bits, high, d / 2, balancer);
        String spec =
                "mikv(ratio=" + ratio + ", bits=" + bits + ", importance_bits=" + high + ", balancer=" + balancer + ")";
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, shape, pool)) {
            int[] counts = {60 + random.nextInt(120), 1, 1, 1, 1, 1, 1, 1, 40, 1, 1, 3, 1, 1, 1, 1, 1};
            for (int count : counts) {
                float[] expected = plain.feed(count);
                Steps.assertClose(wide.feed(cache, count), expected, 1e-5);
                for (int h = 0; h < kvHeads; h++) {
                    assertThat(positions(head(cache, h).high())).isEqualTo(plain.positions(h, true));
                    if (bits > 0) {
                        assertThat(positions(head(cache, h).low().orElseThrow()))
                                .isEqualTo(plain.positions(h, false));
                    }
                }
            }
            assertThat(head(cache, 0).size())
                    .isEqualTo(bits == 0 ? head(cache, 0).high().size() : cache.length());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "mikv",
                "mikv(0)",
                "mikv(0.5, bits=4, importance_bits=8)",
                "mikv(bits=0)",
                "mikv(0.7, rule=count, recent=0)",
                "mikv(bits=3, group=32, balancer=false)"
            })
    void promptIsAttendedExactly(String spec) {
        for (int n : new int[] {1, 2, 4, 33, 300}) {
            try (PagePool pool = Steps.pool();
                    KvCache mikv = create(spec, pool);
                    KvCache exact = create("exact(f16)", pool)) {
                assertThat(steps.feed(mikv, n)).isEqualTo(steps.feed(exact, n));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "mikv",
                "mikv(0.5)",
                "mikv(0.3, recent=1)",
                "mikv(0.3, recent=0, importance_bits=4)",
                "mikv(0.2, rule=count)",
                "mikv(0.05, least=7)"
            })
    void tokensAreConservedAndNeverPromoted(String spec) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, pool)) {
            List<TreeSet<Integer>> demoted = List.of(new TreeSet<>(), new TreeSet<>());
            boolean count = spec.contains("count");
            int prompt = 0;
            while (cache.length() < 400) {
                int tokens = random.nextInt(5) == 0 && !(count && cache.length() > 0) ? 1 + random.nextInt(70) : 1;
                tokens = count && cache.length() == 0 ? 120 : tokens;
                prompt = cache.length() == 0 ? tokens : prompt;
                steps.feed(cache, tokens);
                int length = cache.length();
                for (int h = 0; h < 2; h++) {
                    List<Integer> high = positions(head(cache, h).high());
                    List<Integer> low = positions(head(cache, h).low().orElseThrow());
                    TreeSet<Integer> all = new TreeSet<>(high);
                    all.addAll(low);
                    assertThat(all).hasSize(length);
                    assertThat(high.size() + low.size()).isEqualTo(length);
                    int expected = spec.equals("mikv")
                            ? length / 5
                            : spec.equals("mikv(0.5)")
                                    ? length / 2
                                    : spec.contains("0.3")
                                            ? length * 3 / 10
                                            : count ? 24 : Math.min(length, Math.max(7, length / 20));
                    assertThat(high).hasSize(expected);
                    assertThat(low).containsAll(demoted.get(h));
                    if (tokens == 1) {
                        assertThat(low.size() - demoted.get(h).size()).isBetween(0, 1);
                    }
                    demoted.get(h).addAll(low);
                    int recent = spec.contains("recent=1") ? expected : spec.contains("recent=0") ? 0 : expected / 2;
                    for (int i = 1; i <= recent; i++) {
                        assertThat(high).contains(length - i);
                    }
                }
            }
        }
    }

    @Test
    void headsHoldTokensOfTheirOwn() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("mikv", pool)) {
            steps.feed(cache, 200);
            assertThat(positions(head(cache, 0).high()))
                    .isNotEqualTo(positions(head(cache, 1).high()));
        }
    }

    @Test
    void importantTokensAreExactAndOthersWithinHalfAStepOfTheBalancedKey() {
        for (int bits : new int[] {2, 3, 4}) {
            try (PagePool pool = Steps.pool();
                    SequenceCache cache = create("mikv(bits=" + bits + ", group=32)", pool)) {
                steps.feed(cache, 200);
                float[] keys = steps.states(0, 0, 200).keys();
                float[] values = steps.states(0, 0, 200).values();
                for (int h = 0; h < 2; h++) {
                    TokenTier high = head(cache, h).high();
                    for (int slot = 0; slot < high.size(); slot++) {
                        int at = (high.position(slot) * 2 + h) * 64;
                        checkRow(high, slot, keys, values, at, new float[64], new float[64], 0);
                    }
                    TokenTier low = head(cache, h).low().orElseThrow();
                    Balancer balancer = ((MikvLayer) cache.store(0)).balancer();
                    for (int slot = 0; slot < low.size(); slot++) {
                        int at = (low.position(slot) * 2 + h) * 64;
                        float[] keySteps = new float[64];
                        float[] valueSteps = new float[64];
                        for (int c = 0; c < 64; c++) {
                            keySteps[c] = range(keys, at, c, balancer, h) / ((1 << bits) - 1) / balancer.factor(h, c);
                            valueSteps[c] = range(values, at, c, null, h) / ((1 << bits) - 1);
                        }
                        checkRow(low, slot, keys, values, at, keySteps, valueSteps, bits);
                    }
                }
            }
        }
    }

    /** Largest minus smallest number of a channel's group of 32, balanced. */
    private static float range(
            float[] rows, int at, int channel, @org.jspecify.annotations.Nullable Balancer balancer, int kvHead) {
        float min = Float.POSITIVE_INFINITY;
        float max = Float.NEGATIVE_INFINITY;
        for (int c = channel / 32 * 32; c < channel / 32 * 32 + 32; c++) {
            float x = rows[at + c] * (balancer == null ? 1 : balancer.factor(kvHead, c));
            min = Math.min(min, x);
            max = Math.max(max, x);
        }
        return max - min;
    }

    private static void checkRow(
            TokenTier tier,
            int slot,
            float[] keys,
            float[] values,
            int at,
            float[] keySteps,
            float[] valueSteps,
            int bits) {
        float[] row = new float[64];
        tier.keys().row(slot, row, 0, new Scratch());
        for (int c = 0; c < 64; c++) {
            assertThat(Math.abs(row[c] - keys[at + c])).isLessThanOrEqualTo(bound(keys[at + c], keySteps[c], bits));
        }
        tier.values().row(slot, row, 0, new Scratch());
        for (int c = 0; c < 64; c++) {
            assertThat(Math.abs(row[c] - values[at + c]))
                    .isLessThanOrEqualTo(bound(values[at + c], valueSteps[c], bits));
        }
    }

    /** Half a step and what F16 takes of the scale, the zero and the number. */
    private static float bound(float x, float step, int bits) {
        double f16 = Math.pow(2, -11) * (Math.abs(x) + step * (1 << bits) * 2);
        return (float) (step / 2 + f16 + 1e-6);
    }

    @Test
    void forAFewTokensOrNoneTheGuardsHold() {
        try (PagePool pool = Steps.pool();
                SequenceCache alone = create("mikv", pool);
                SequenceCache zero = create("mikv(0.5, bits=2)", pool)) {
            for (int i = 0; i < 30; i++) {
                assertFinite(steps.feed(alone, 1));
            }
            MikvLayer layer = (MikvLayer) alone.store(0);
            for (int c = 0; c < 64; c++) {
                assertThat(layer.balancer().factor(1, c)).isEqualTo(1f);
            }
            assertThat(Balancer.level(0, 3)).isEqualTo(1f);
            assertThat(Balancer.level(3, 0)).isEqualTo(1f);
            assertThat(Balancer.level(0, 0)).isEqualTo(1f);
            assertThat(Balancer.level(8, 2)).isEqualTo(2f);
            steps.feed(zero, 3);
            assertThat(head(zero, 0).high().size()).isEqualTo(1);
            assertFinite(steps.feed(zero, 1));
        }
    }

    private static void assertFinite(float[] numbers) {
        for (float number : numbers) {
            assertThat(number).isFinite();
        }
    }

    @Test
    void threadsAndRepetitionDoNotMatter() {
        CacheShape shape = new CacheShape(1, 8, 2, 64, 64);
        Steps wide = new Steps(shape, 3);
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                SequenceCache one = create("mikv", shape, pool);
                SequenceCache again = create("mikv", shape, pool);
                KvCache parallel = Caches.create(CacheSpec.parse("mikv"), shape, pool, two)) {
            for (int count : new int[] {900, 1, 1, 600, 1, 1, 5, 1}) {
                float[] found = wide.feed(one, count);
                assertThat(wide.feed(again, count)).isEqualTo(found);
                assertThat(wide.feed(parallel, count)).isEqualTo(found);
            }
            for (int h = 0; h < 2; h++) {
                assertThat(positions(head(again, h).high()))
                        .isEqualTo(positions(head(one, h).high()));
            }
        }
    }

    @Test
    void allocatesThePapersBytes() {
        CacheShape shape = new CacheShape(1, 1, 1, 128, 128);
        PagePool pool = Steps.pool();
        try (SequenceCache cache = create("mikv", shape, pool)) {
            Steps wide = new Steps(shape, 1);
            wide.feed(cache, 4000);
            while (cache.length() < 4096) {
                wide.feed(cache, 1);
            }
            int high = head(cache, 0).high().size();
            int low = head(cache, 0).lowSize();
            assertThat(high).isEqualTo(819);
            assertThat(low).isEqualTo(3277);
            Footprint held = cache.footprint();
            // The paper's formula, and what whole pages add: 64 exact tokens or 128 others.
            long paper = high * 512L + low * 80L;
            assertThat(paper).isEqualTo(681_488);
            long slack = (832 - 819) * 512L + (3328 - 3277) * 80L;
            assertThat(held.codes() + held.scales()).isEqualTo(paper + slack);
            assertThat(slack).isLessThan(paper / 60);
            // Beside it: positions of all and scores of the important, in pages of 256, and the balancer.
            assertThat(held.indices()).isEqualTo((3328 + 2 * 1024) * 4L);
            assertThat(held.codebooks()).isEqualTo(512);
            assertThat(pool.usedBytes()).isEqualTo(held.total());
            assertThat(Caches.estimate(cache.spec(), shape, 4096)).isEqualTo(held);
        }
        assertThat(pool.usedBytes()).isZero();
    }

    @ParameterizedTest
    @CsvSource({"16, 0.325", "8, 0.231", "4, 0.181", "2, 0.156"})
    void sizesAreThePapersShares(int bits, double share) {
        CacheShape shape = new CacheShape(1, 1, 1, 128, 128);
        CacheSpec spec = CacheSpec.parse("mikv(importance_bits=" + bits + ")");
        Footprint held = Caches.estimate(spec, shape, 64_000);
        assertThat((held.codes() + held.scales()) / (64_000 * 512.0))
                .isCloseTo(share, org.assertj.core.data.Offset.offset(0.001));
    }

    @Test
    void rollbackIsRefusedOnceTokensMayMove() {
        try (PagePool pool = Steps.pool();
                KvCache cache = create("mikv", pool);
                KvCache all = create("mikv(1)", pool);
                KvCache none = create("mikv(0)", pool)) {
            for (KvCache each : List.of(cache, all, none)) {
                steps.feed(each, 40);
                steps.feed(each, 5);
            }
            assertThat(cache.rollbackLimit()).isZero();
            cache.rollback(0);
            assertThatThrownBy(() -> cache.rollback(1)).isInstanceOf(InvalidInputException.class);
            assertThat(all.rollbackLimit()).isEqualTo(45);
            assertThat(none.rollbackLimit()).isEqualTo(5);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"mikv(1)", "mikv(0)", "mikv(1, importance_bits=4)"})
    void goesOnAfterARollbackAsIfNothingHadBeen(String spec) {
        Steps wrong = new Steps(SHAPE, 1234);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, pool);
                SequenceCache twin = create(spec, pool)) {
            steps.feed(cache, 70);
            steps.feed(twin, 70);
            try (KvCache fork = cache.fork()) {
                wrong.feed(cache, 100);
                cache.rollback(100);
                steps.feed(cache, 3);
                steps.feed(twin, 3);
                assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
                assertThat(cache.footprint()).isEqualTo(twin.footprint());
                assertThat(fork.length()).isEqualTo(70);
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "mikv(1.5)|80|ratio=1.5 is more than all",
                "mikv|72|allowed: none",
                "mikv(group=64)|80|allowed: 16, 80",
                "mikv(bits=5)|64|allowed: 0, 2, 3, 4",
            })
    void saysWhatIsWrong(String spec, int headDim, String problem) {
        CacheShape shape = new CacheShape(1, 1, 1, headDim, 8);
        assertThatThrownBy(() -> Caches.estimateBytes(CacheSpec.parse(spec), shape, 5))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(problem);
    }

    @Test
    void servesHeadsOf80Channels() {
        CacheShape shape = new CacheShape(1, 4, 2, 80, 8);
        Steps odd = new Steps(shape, 2);
        MikvReference plain = new MikvReference(shape, odd, 0.2, 2, 16, 80, true);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("mikv(group=80)", shape, pool)) {
            for (int count : new int[] {77, 1, 1, 1, 20, 1}) {
                float[] expected = plain.feed(count);
                Steps.assertClose(odd.feed(cache, count), expected, 1e-5);
            }
        }
    }
}
