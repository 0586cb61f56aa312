package dev.kvasir.cache.method.zipcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheBudgetException;
import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.importance.ProbeRows;
import dev.kvasir.tensor.Workers;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the paper's cache must do: segments, selections, bytes, rollback, files. */
final class ZipCacheTest {
    private static final CacheShape SHAPE = new CacheShape(1, 4, 2, 64, 64);
    private final Steps steps = new Steps(SHAPE, 31);
    private final Random random = new Random(3);

    private static SequenceCache create(String spec, CacheShape shape, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential());
    }

    private static SequenceCache create(String spec, PagePool pool) {
        return create(spec, SHAPE, pool);
    }

    private static ZipLayer layer(SequenceCache cache) {
        return (ZipLayer) cache.store(0);
    }

    @ParameterizedTest
    @CsvSource({
        "zipcache, 4, 4, 64",
        "zipcache(interval=30), 4, 1, 128",
        "zipcache(interval=32), 8, 1, 64",
        "zipcache(interval=31), 6, 3, 80",
        "'zipcache(0.3, scope=layer, interval=30)', 4, 2, 64",
        "'zipcache(0.7, v_rows=head, nnz=remaining, interval=30)', 4, 2, 96",
        "'zipcache(1, bits_hi=8, interval=30)', 4, 2, 64",
        "'zipcache(0, bits_lo=4, interval=30)', 4, 2, 256",
        "'zipcache(1, bits_hi=3, interval=30)', 4, 2, 64",
        "'zipcache(interval=30, recompress=all)', 4, 2, 64",
        "'zipcache(interval=27, recent=1, random=0)', 2, 2, 64"
    })
    void equalsPlainLoops(String spec, int heads, int kvHeads, int d) {
        CacheShape shape = new CacheShape(1, heads, kvHeads, d, 8);
        Steps wide = new Steps(shape, random.nextLong());
        int interval = Steps.settings(spec).number("interval");
        boolean allRows = spec.contains("recent=1");
        ZipReference plain =
                new ZipReference(shape, wide, new ProbeRows(allRows ? 1 : 0.05, allRows ? 0 : 0.05, interval, 0));
        plain.interval = interval;
        plain.perLayer = spec.contains("scope=layer");
        plain.rowsPerHead = spec.contains("v_rows=head");
        plain.remaining = spec.contains("nnz=remaining");
        plain.all = spec.contains("recompress=all");
        plain.high = spec.contains("bits_hi=8") ? 8 : spec.contains("bits_hi=3") ? 3 : 4;
        plain.low = spec.contains("bits_lo=4") ? 4 : 2;
        plain.ratio = spec.startsWith("zipcache(0.") || spec.startsWith("zipcache(1") || spec.startsWith("zipcache(0,")
                ? Double.parseDouble(spec.substring(9, spec.indexOf(',')))
                : 0.6;
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, shape, pool)) {
            int[] counts = new int[interval == 100 ? 110 : 70];
            Arrays.fill(counts, 1);
            counts[0] = 60 + random.nextInt(100);
            counts[1] = 3;
            counts[20] = 5;
            counts[60] = 45;
            for (int count : counts) {
                float[] expected = plain.feed(count);
                // Two-bit codes are read in the lower bits of a float's mantissa, which takes two decimal digits less
                // one.
                Steps.assertClose(wide.feed(cache, count), expected, 3e-5);
            }
            for (int h = 0; h < kvHeads; h++) {
                assertThat(selection(cache, h)).isEqualTo(plain.salient(h));
            }
        }
    }

    private static List<Boolean> selection(SequenceCache cache, int kvHead) {
        List<Boolean> all = new ArrayList<>();
        for (ZipSegment segment : layer(cache).segments()) {
            for (int t = 0; t < segment.tokens(); t++) {
                all.add(segment.isHigh(kvHead, t));
            }
        }
        return all;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "zipcache(k_scheme=token, v_scheme=token)",
                "zipcache(k_scheme=group, v_scheme=group)",
                "zipcache(saliency=random)",
                "zipcache(saliency=accumulated, v_scheme=token, v_rows=head)",
                "zipcache(bits_hi=8, bits_lo=8, recent=0, random=0.1)"
            })
    void everySchemeReadsWhatItStores(String spec) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create(spec, pool)) {
            steps.feed(cache, 150);
            for (int i = 0; i < 130; i++) {
                float[] expected = ZipContents.attend(layer(cache), SHAPE, steps, cache.length());
                Steps.assertClose(steps.feed(cache, 1), expected, 1e-5);
            }
            assertThat(layer(cache).segments()).hasSize(2);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "zipcache",
                "zipcache(0)",
                "zipcache(1, bits_hi=8)",
                "zipcache(scope=layer, recompress=all)",
                "zipcache(k_scheme=group, v_scheme=group)"
            })
    void promptIsAttendedExactly(String spec) {
        for (int n : new int[] {1, 2, 19, 20, 333}) {
            try (PagePool pool = Steps.pool();
                    KvCache zip = create(spec, pool);
                    KvCache exact = create("exact(f16)", pool)) {
                assertThat(steps.feed(zip, n)).isEqualTo(steps.feed(exact, n));
            }
        }
    }

    @Test
    void segmentsAreThePromptAndEveryHundredTokens() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("zipcache", pool)) {
            steps.feed(cache, 250);
            for (int i = 1; i <= 250; i++) {
                steps.feed(cache, 1);
                assertThat(layer(cache).tail().size()).isEqualTo(i % 100);
                assertThat(layer(cache).segments()).hasSize(1 + i / 100);
            }
            assertThat(layer(cache).segments().stream().map(ZipSegment::tokens)).containsExactly(250, 100, 100);
            assertThat(layer(cache).segments().stream().map(ZipSegment::highTokens))
                    .containsExactly(150, 60, 60);
        }
    }

    @Test
    void lowSizeIsRoundedDown() {
        CacheShape shape = new CacheShape(1, 1, 1, 128, 8);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("zipcache", shape, pool)) {
            new Steps(shape, 1).feed(cache, 4096);
            assertThat(layer(cache).segments().getFirst().highTokens()).isEqualTo(4096 - 1638);
        }
    }

    private static byte[] content(ZipSegment segment) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        segment.write(new DataOutputStream(bytes));
        return bytes.toByteArray();
    }

    @Test
    void segmentsNeverChangeAgain() throws IOException {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("zipcache", pool)) {
            steps.feed(cache, 250);
            byte[] first = content(layer(cache).segments().getFirst());
            for (int i = 0; i < 320; i++) {
                steps.feed(cache, 1);
            }
            assertThat(layer(cache).segments()).hasSize(4);
            assertThat(content(layer(cache).segments().getFirst())).isEqualTo(first);
        }
    }

    @Test
    void quantizingAllAgainDrifts() {
        try (PagePool pool = Steps.pool();
                SequenceCache all = create("zipcache(recompress=all)", pool);
                SequenceCache segmented = create("zipcache", pool)) {
            steps.feed(all, 250);
            steps.feed(segmented, 250);
            double before = ZipContents.error(layer(all), SHAPE, steps, 250);
            assertThat(ZipContents.error(layer(segmented), SHAPE, steps, 250)).isEqualTo(before);
            for (int i = 0; i < 300; i++) {
                steps.feed(all, 1);
                steps.feed(segmented, 1);
            }
            assertThat(layer(all).segments()).hasSize(1);
            assertThat(layer(all).segments().getFirst().highTokens()).isEqualTo(150 + 3 * 60);
            assertThat(ZipContents.error(layer(all), SHAPE, steps, 250)).isGreaterThan(1.05 * before);
            assertThat(ZipContents.error(layer(segmented), SHAPE, steps, 250)).isEqualTo(before);
        }
    }

    @Test
    void sameSeedSameBytesWhateverTheThreads() throws IOException {
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                SequenceCache one = create("zipcache(seed=5)", pool);
                KvCache parallel = Caches.create(CacheSpec.parse("zipcache(seed=5)"), SHAPE, pool, two);
                SequenceCache other = create("zipcache(seed=6)", pool)) {
            for (int count : new int[] {700, 50, 1, 1, 60, 1, 200, 3}) {
                float[] found = steps.feed(one, count);
                assertThat(steps.feed(parallel, count)).isEqualTo(found);
                steps.feed(other, count);
            }
            assertThat(saved(parallel)).isEqualTo(saved(one));
            assertThat(selection(other, 0)).isNotEqualTo(selection(one, 0));
        }
    }

    private static byte[] saved(KvCache cache) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        cache.save(out, "model");
        return out.toByteArray();
    }

    @Test
    void allocatesThePapersBytes() {
        CacheShape shape = new CacheShape(1, 8, 8, 128, 8);
        PagePool pool = Steps.pool();
        try (SequenceCache cache = create("zipcache", shape, pool)) {
            Steps wide = new Steps(shape, 2);
            wide.feed(cache, 4096);
            // The formula, bit by bit: codes, parameters of keys, of values, selections.
            int low = 1638;
            int high = 4096 - low;
            double elements = 2.0 * 4096 * 1024;
            double codes = 2.0 * 1024 * (high * 4 + low * 2);
            double keyParameters = 2.0 * 1024 * 2 * 16;
            double valueParameters = 1024 * 16 + 4096 * 2 * 16;
            double selections = 8 * 4096;
            double formula = codes + keyParameters + valueParameters + selections;
            assertThat(formula / elements).isCloseTo(3.2295, org.assertj.core.data.Offset.offset(1e-4));
            // Sets are filled up to whole units of 16 tokens among keys, to whole words of 8 or 16 among values.
            double filling = 1024.0 * ((2464 - high) * 4 + (1648 - low) * 2) * 2;
            Footprint held = cache.footprint();
            assertThat(held.total() * 8.0).isEqualTo(formula + filling);
            assertThat(filling / formula).isLessThan(0.004);
            assertThat(pool.usedBytes()).isEqualTo(held.total());
            assertThat(Caches.estimate(cache.spec(), shape, 4096)).isEqualTo(held);
            assertThat(16 / held.bitsPerElement(shape, 4096)).isGreaterThan(4.93);
        }
        assertThat(pool.usedBytes()).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "zipcache",
                "zipcache(0.25, scope=layer, v_rows=head)",
                "zipcache(1)",
                "zipcache(0, k_scheme=token, v_scheme=token)",
                "zipcache(interval=33, k_scheme=group, v_scheme=group)",
                "zipcache(bits_hi=8, bits_lo=4)"
            })
    void allocatesWhatTheFormulaSaysAfterAnyFlushes(String spec) {
        int interval = spec.contains("interval") ? 33 : 100;
        PagePool pool = Steps.pool();
        try (SequenceCache cache = create(spec, pool)) {
            ZipPlan plan = new ZipPlan(Steps.settings(spec), SHAPE);
            List<Integer> segments = new ArrayList<>();
            int tail = 0;
            for (int count : steps(170)) {
                steps.feed(cache, count);
                tail += count;
                if ((cache.length() == count && count > 1) || tail >= interval) {
                    segments.add(tail);
                    tail = 0;
                }
                assertThat(cache.footprint()).isEqualTo(plan.bytes(segments, tail));
                assertThat(pool.usedBytes()).isEqualTo(cache.footprint().total());
            }
            assertThat(segments).hasSizeGreaterThan(3);
        }
        assertThat(pool.usedBytes()).isZero();
    }

    private int[] steps(int count) {
        int[] counts = new int[count];
        for (int i = 0; i < count; i++) {
            counts[i] = i == 0 ? 77 : random.nextInt(12) == 0 ? 1 + random.nextInt(60) : 1;
        }
        return counts;
    }

    @Test
    void aRefusedFlushLeavesTheCacheAsItWas() {
        CacheSpec spec = CacheSpec.parse("zipcache");
        long budget = Caches.estimateBytes(spec, SHAPE, 400) + 120_000;
        try (PagePool pool = new PagePool(budget);
                PagePool free = Steps.pool();
                KvCache cache = create("zipcache", pool);
                KvCache twin = create("zipcache", free)) {
            steps.feed(cache, 400);
            steps.feed(twin, 400);
            assertThatThrownBy(() -> cache.reserve(100_000)).isInstanceOf(CacheBudgetException.class);
            assertThat(cache.footprint()).isEqualTo(twin.footprint());
            // Room that was asked for and not used is given back.
            cache.reserve(200);
            for (int i = 0; i < 120; i++) {
                assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
            }
            assertThat(cache.footprint()).isEqualTo(twin.footprint());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"zipcache", "zipcache(interval=33, recompress=all)"})
    void forksGoTheirOwnWays(String spec) {
        PagePool pool = Steps.pool();
        Steps other = new Steps(SHAPE, 77);
        try (SequenceCache cache = create(spec, pool);
                KvCache twin = create(spec, pool)) {
            steps.feed(cache, 170);
            steps.feed(twin, 170);
            for (int i = 0; i < 20; i++) {
                steps.feed(cache, 1);
                steps.feed(twin, 1);
            }
            long used = pool.usedBytes();
            try (KvCache fork = cache.fork()) {
                assertThat(pool.usedBytes()).isEqualTo(used);
                for (int i = 0; i < 120; i++) {
                    other.feed(fork, 1);
                    assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
                }
            }
        }
        assertThat(pool.usedBytes()).isZero();
    }

    @Test
    void rollbackReachesBackToTheLastProbe() throws IOException {
        Steps wrong = new Steps(SHAPE, 1);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("zipcache(random=0)", pool);
                SequenceCache twin = create("zipcache(random=0)", pool);
                SequenceCache probed = create("zipcache", pool)) {
            steps.feed(cache, 120);
            steps.feed(twin, 120);
            assertThat(cache.rollbackLimit()).isZero();
            for (int i = 0; i < 40; i++) {
                wrong.feed(cache, 1);
            }
            assertThat(cache.rollbackLimit()).isEqualTo(40);
            cache.rollback(40);
            assertThat(cache.footprint()).isEqualTo(twin.footprint());
            for (int i = 0; i < 230; i++) {
                assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
            }
            assertThat(saved(cache)).isEqualTo(saved(twin));
            for (int i = 0; i < 66; i++) {
                steps.feed(cache, 1);
            }
            // 96 of 100: the 96th is one of the last five, a probe.
            assertThat(layer(cache).tail().size()).isEqualTo(96);
            assertThat(cache.rollbackLimit()).isZero();
            assertThatThrownBy(() -> cache.rollback(1)).isInstanceOf(InvalidInputException.class);

            steps.feed(probed, 120);
            int limits = 0;
            for (int i = 0; i < 90; i++) {
                steps.feed(probed, 1);
                limits += probed.rollbackLimit() < layer(probed).tail().size() ? 1 : 0;
            }
            assertThat(limits).isPositive();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "zipcache",
                "zipcache(0, scope=layer)",
                "zipcache(1, v_scheme=token)",
                "zipcache(interval=40, recompress=all)"
            })
    void aSavedCacheGoesOnAsIfNothingHadHappened(String spec) throws IOException {
        PagePool pool = Steps.pool();
        for (int decoded : new int[] {-1, 0, 1, 30, 130}) {
            try (SequenceCache cache = create(spec, pool)) {
                if (decoded >= 0) {
                    steps.feed(cache, 90);
                }
                for (int i = 0; i < decoded; i++) {
                    steps.feed(cache, 1);
                }
                byte[] bytes = saved(cache);
                try (KvCache loaded = load(bytes, pool)) {
                    assertThat(loaded.footprint()).isEqualTo(cache.footprint());
                    assertThat(saved(loaded)).isEqualTo(bytes);
                    for (int i = 0; i < 110; i++) {
                        assertThat(steps.feed(loaded, 1)).isEqualTo(steps.feed(cache, 1));
                    }
                    assertThat(loaded.rollbackLimit()).isEqualTo(cache.rollbackLimit());
                }
            }
        }
        assertThat(pool.usedBytes()).isZero();
    }

    private static KvCache load(byte[] bytes, PagePool pool) throws IOException {
        return Caches.load(new ByteArrayInputStream(bytes), "model", CacheModel.of(SHAPE), pool, Steps.sequential());
    }

    @Test
    void hostileContentIsRefusedWithoutAllocatingForIt() throws IOException {
        PagePool pool = Steps.pool();
        try (SequenceCache cache = create("zipcache", pool)) {
            steps.feed(cache, 90);
            byte[] body = written(cache);
            // Segments, tokens of the first, salient tokens of it.
            for (int at : new int[] {0, 4, 8}) {
                for (int hostile : new int[] {-1, 0x7fffffff, 1 << 29, 53}) {
                    byte[] bytes = body.clone();
                    java.nio.ByteBuffer.wrap(bytes).putInt(at, hostile);
                    long used = pool.reservedBytes();
                    try (SequenceCache fresh = create("zipcache", pool)) {
                        assertThatThrownBy(() -> layer(fresh)
                                        .read(new java.io.DataInputStream(new ByteArrayInputStream(bytes)), 0x7fffffff))
                                .isInstanceOfAny(CacheFileException.class, java.io.EOFException.class);
                    }
                    assertThat(pool.reservedBytes() - used).isLessThan(bytes.length + 10_000L);
                }
            }
            // A selection of another size, and a factor that is no number.
            byte[] more = body.clone();
            more[12] ^= 1;
            byte[] factor = body.clone();
            int factors = 12 + 2 * 3 * 4;
            factor[factors] = 0;
            factor[factors + 1] = 0;
            for (byte[] bytes : List.of(more, factor)) {
                try (SequenceCache fresh = create("zipcache", pool)) {
                    assertThatThrownBy(() ->
                                    layer(fresh).read(new java.io.DataInputStream(new ByteArrayInputStream(bytes)), 90))
                            .isInstanceOf(CacheFileException.class);
                }
            }
        }
    }

    private static byte[] written(SequenceCache cache) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        layer(cache).write(new DataOutputStream(bytes));
        return bytes.toByteArray();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "zipcache(1.1)|64|ratio=1.1 is more than all",
                "zipcache(recent=0.7, random=0.5)|64|more than all tokens",
                "zipcache(interval=0)|64|allowed: 1 to 4096",
                "zipcache|72|multiples of 16",
                "zipcache(k_scheme=group)|80|multiples of 32",
                "zipcache(bits_hi=5)|64|allowed: 2, 3, 4, 8"
            })
    void saysWhatIsWrong(String spec, int headDim, String problem) {
        CacheShape shape = new CacheShape(1, 1, 1, headDim, 8);
        assertThatThrownBy(() -> Caches.estimateBytes(CacheSpec.parse(spec), shape, 5))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(problem);
    }

    @Test
    void decodesFromNothing() {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("zipcache(interval=32)", pool)) {
            for (int i = 0; i < 80; i++) {
                float[] expected = ZipContents.attend(layer(cache), SHAPE, steps, cache.length());
                Steps.assertClose(steps.feed(cache, 1), expected, 1e-5);
            }
            assertThat(layer(cache).segments()).hasSize(2);
        }
    }
}
