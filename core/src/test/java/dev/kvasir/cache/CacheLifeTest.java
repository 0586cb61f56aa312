package dev.kvasir.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.KvasirException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Memory, forks, rollback and files: what every cache must do, whatever it stores. */
class CacheLifeTest {
    private static final CacheShape SHAPE = new CacheShape(2, 4, 2, 32, 16);
    private static final CacheModel MODEL = Calibrated.model(SHAPE);
    private final Steps steps = Steps.projected(SHAPE, 99);

    private static KvCache create(String spec, PagePool pool) {
        return Caches.create(CacheSpec.parse(spec), MODEL, pool, Steps.sequential());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cskv",
                "cskv(bits=4)",
                "cskv(k_bits=8, v_bits=4, block=32, window=45, rollback=3, rule=flush)",
                "exact",
                "exact(f16)",
                "kivi(residual=32)",
                "kivi(residual=96, group=32, bits=4)",
                "kivi",
                "kivi(k_axis=token, residual=0)",
                "kivi(v_axis=channel, residual=64)",
                "block(k=q5_0, v=q4_0)",
                "saq",
                "saq(16-8-4-2-1, segment=32)",
                "saq(32-5-3, segment=32, sinks=40)",
                "saq(16)",
                "mikv",
                "mikv(0.5, bits=0)",
                "mikv(0.3, importance_bits=8, bits=4)",
                "turboquant(2, outliers=16)",
                "qserve(smooth=false)",
                "bfp",
                "bfp(v_axis=token, block=16)",
                "rotatekv(reorder=off)",
                "rotatekv(reorder=off, k_bits=3, paramFormat=f16, groupSize=16, sinkEntries=5)",
                "kvquant",
                "kvquant(bits=4, k_axis=token, sinks=5)",
                "kvquant(outliers=0, k_bits=2, dtype=f32)",
                "a2ats(window=32, sinks=5, f=0.1)",
                "a2ats(window=16, store=kivi(residual=32))",
                "quest(budget=48, dense=1)",
                "quest(page=7, budget=30, dense=0, store=block(q8_0))",
                "h2o",
                "h2o(budget=40, store=block(q4_0))",
                "minicache(start=0, retention=off)",
                "minicache(start=0, retention=off, inner=exact(f16), window=0)",
                "minicache(start=0, retention=off, inner=block(q4_0), window=32, rope=before)",
                "xquant",
                "xquant(2, variant=b, group=32)",
                "xquant(3, variant=b, k_axis=token, v_axis=channel, group=64)",
                "xquant-cl(base_layers=1)",
                "xquant-cl(2, variant=d, base_layers=2, group=32, acc=f32)",
                "scissorhands(70)",
                "scissorhands(100, layers=ramp, window=90, store=block(q4_0), recent_exact=9)",
                "tova",
                "tova(budget=40, heads=each, store=block(q4_0))",
                "streaming(70)",
                "lambda(150, sinks=7, trained=160)",
                "kvcrush(base=h2o, keep=0.3)"
            })
    void allocatesWhatTheFormulaSays(String spec) {
        for (int[] chunks :
                new int[][] {{1, 1, 1, 30, 1}, {64, 64, 1, 127}, {95, 1, 1, 200, 31, 1, 128}, {1000, 24, 7}}) {
            PagePool pool = Steps.pool();
            try (KvCache cache = create(spec, pool)) {
                for (int chunk : chunks) {
                    steps.feed(cache, chunk);
                    Footprint expected = Caches.estimate(cache.spec(), SHAPE, cache.length());
                    assertThat(cache.footprint())
                            .as("%d tokens", cache.length())
                            .isEqualTo(expected);
                    assertThat(pool.usedBytes()).isEqualTo(expected.total());
                }
            }
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cskv",
                "cskv(bits=4)",
                "exact(bf16)",
                "kivi(residual=32)",
                "kivi(v_axis=channel, residual=64)",
                "block",
                "mikv",
                "gear(variant=gear, group=32)",
                "turboquant",
                "bfp(v_axis=token)",
                "saq(segment=32)",
                "rotatekv(reorder=off)",
                "vidkv",
                "kvquant",
                "a2ats(window=32, sinks=5, f=0.1)",
                "quest(budget=48, dense=1)",
                "h2o",
                "snapkv(0.5)",
                "zipvl",
                "minicache(start=0, inner=exact)",
                "xquant",
                "xquant(variant=b, group=64)",
                "xquant-cl(base_layers=1)",
                "locret",
                "snapkv(0.5, heads=adaptive)",
                "pyramidkv(0.5)",
                "tova",
                "kvcrush(base=h2o, keep=0.5)"
            })
    void refusalLeavesTheCacheAsItWas(String spec) {
        long budget = Caches.estimateBytes(CacheSpec.parse(spec), SHAPE, 300);
        try (PagePool pool = new PagePool(budget);
                PagePool free = Steps.pool();
                KvCache cache = create(spec, pool);
                KvCache twin = create(spec, free)) {
            steps.feed(cache, 150);
            steps.feed(twin, 150);
            long used = pool.usedBytes();
            assertThatThrownBy(() -> cache.reserve(1_000_000))
                    .isInstanceOf(CacheBudgetException.class)
                    .hasMessageContaining("budget is " + budget);
            assertThat(pool.usedBytes()).isEqualTo(used);
            assertThat(cache.length()).isEqualTo(150);
            assertThat(cache.footprint()).isEqualTo(twin.footprint());
            assertThat(steps.feed(cache, 5)).isEqualTo(steps.feed(twin, 5));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cskv(window=40)",
                "cskv(bits=4)",
                "exact",
                "exact(f16)",
                "kivi(residual=32)",
                "kivi",
                "block(q5_0, rotate=true)",
                "gear(variant=gear, group=32, sparsity=0.1)",
                "saq(segment=32)",
                "saq(16-4-3-2, segment=32, paperExact=true)",
                "mikv",
                "mikv(0.5, importance_bits=4)",
                "mikv(bits=0)",
                "vidkv(1.5, protect=150..181)",
                "turboquant(outliers=16)",
                "qserve(smooth=false)",
                "bfp(v_axis=token)",
                "rotatekv(reorder=off)",
                "kvquant",
                "kvquant(cap=0, sinks=3)",
                "a2ats(window=32, sinks=5, f=0.1)",
                "a2ats(window=16, store=block(q8_0))",
                "a2ats(window=16, store=gear(variant=gear, group=32))",
                "quest(budget=48, dense=1)",
                "quest(page=7, budget=30, dense=0)",
                "h2o(budget=40)",
                "streaming(60, sinks=3, store=block(q4_0))",
                "lambda(100)",
                "scissorhands(60, recent_exact=12, store=block(q4_0, rotate=true))",
                "snapkv",
                "snapkv(0.3, store=kivi(residual=32))",
                "zipvl(0.9, min_tokens=0)",
                "zipvl(0.9, cache=drop, interval=50)",
                "minicache(start=0)",
                "minicache(start=0, window=0, inner=kivi(residual=32), scope=head)",
                "minicache(start=0, window=32, rope=before, gamma=0.5)",
                "xquant(3)",
                "xquant(variant=b, group=32)",
                "xquant-cl(base_layers=1)",
                "xquant-cl(variant=d, base_layers=1)",
                "locret",
                "locret(budget=40, local=8, store=block(q4_0))",
                "snapkv(0.3, heads=adaptive)",
                "pyramidkv(0.4, heads=adaptive, store=block(q4_0))",
                "tova(budget=40)",
                "kvcrush(base=h2o, budget=40)",
                "kvcrush(0.3, sig_layers=2, store=kivi(residual=32))"
            })
    void forksGoTheirOwnWays(String spec) {
        PagePool pool = Steps.pool();
        Steps otherSteps = Steps.projected(SHAPE, 100);
        KvCache cache = create(spec, pool);
        try (KvCache twin = create(spec, pool)) {
            steps.feed(cache, 170);
            steps.feed(twin, 170);
            long used = pool.usedBytes();
            try (KvCache fork = cache.fork()) {
                assertThat(pool.usedBytes()).isEqualTo(used);
                assertThat(fork.length()).isEqualTo(170);
                for (int i = 0; i < 40; i++) {
                    otherSteps.feed(fork, 1);
                    assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
                }
                try (KvCache third = fork.fork()) {
                    cache.close();
                    assertThat(otherSteps.feed(third, 3)).isEqualTo(otherSteps.feed(fork, 3));
                }
            }
        }
        assertThat(pool.usedBytes()).isZero();
    }

    @Test
    void aForkCopiesOnlyWhatIsWritten() {
        try (PagePool pool = Steps.pool();
                KvCache cache = create("exact(f16)", pool)) {
            steps.feed(cache, 640 + 10);
            try (KvCache fork = cache.fork()) {
                long before = pool.usedBytes();
                steps.feed(fork, 1);
                long onePageEach = 2 * 2 * 2 * 64 * 32 * 2;
                assertThat(pool.usedBytes() - before).isEqualTo(onePageEach);
                steps.feed(cache, 1);
                assertThat(pool.usedBytes() - before).isEqualTo(onePageEach);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cskv(rollback=12)",
                "cskv(bits=4, rollback=12)",
                "cskv(rule=flush)",
                "exact",
                "kivi(residual=32)",
                "kivi",
                "kivi(k_axis=token, residual=0)",
                "block(q4_0)",
                "gear(variant=gear, group=32)",
                "saq(segment=32)",
                "turboquant(2)",
                "qserve(8, smooth=false)",
                "bfp(v_axis=token)",
                "rotatekv(reorder=off, sinkEntries=0)",
                "kvquant",
                "kvquant(cap=0)",
                "minicache(start=0)",
                "minicache(start=0, inner=block, window=0)",
                "minicache(start=0, inner=exact(f16), window=64, retention=top)",
                "xquant",
                "xquant(variant=b, group=128)",
                "xquant-cl(base_layers=1)",
                "xquant-cl(variant=d, base_layers=2)",
                "a2ats(window=32, sinks=5, f=0.1)",
                "a2ats(window=16, store=block(q8_0))",
                "a2ats(window=16, store=gear(variant=gear, group=32))",
                "quest(budget=48, dense=1)",
                "quest(page=7, budget=30, dense=0)",
                "streaming(100)",
                "lambda(128, sinks=12)"
            })
    void continuesTheSameAfterARollback(String spec) {
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, pool);
                KvCache twin = create(spec, pool)) {
            for (int length : new int[] {45, 140, 290}) {
                steps.feed(cache, length - cache.length());
                steps.feed(twin, length - twin.length());
                int back = Math.min(cache.rollbackLimit(), 12);
                assertThat(back).isPositive();
                cache.rollback(back);
                assertThat(cache.length()).isEqualTo(length - back);
                steps.feed(cache, back);
                assertThat(steps.feed(cache, 1)).isEqualTo(steps.feed(twin, 1));
                assertThat(cache.footprint()).isEqualTo(twin.footprint());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "exact(f16)",
                "kivi(k_axis=token, residual=0)",
                "block(q5_0)",
                "turboquant(outliers=16)",
                "qserve(smooth=false)",
                "bfp",
                "rotatekv(reorder=off, sinkEntries=0)",
                "kvquant(sinks=4)",
                "kvquant(threshold=global)",
                "minicache(start=0, inner=exact(f16), window=0)",
                "minicache(start=0, inner=block(q4_0), window=0, scope=shared, gamma=0.3)",
                "xquant(8)",
                "xquant(2, variant=b, k_axis=token)",
                "xquant-cl(base_layers=1)",
                "xquant-cl(variant=d, base_layers=1)",
                "a2ats(window=32, sinks=5, f=0.1)",
                "a2ats(window=16, store=block(q8_0))",
                "quest(budget=48, dense=1)",
                "quest(page=7, budget=30, dense=0)"
            })
    void forgetsWrongTokensWithoutATrace(String spec) {
        Steps wrong = Steps.projected(SHAPE, 7);
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, pool);
                KvCache twin = create(spec, pool)) {
            steps.feed(cache, 100);
            steps.feed(twin, 100);
            try (KvCache fork = cache.fork()) {
                wrong.feed(cache, 200);
                cache.rollback(250);
                assertThat(cache.length()).isEqualTo(50);
                steps.feed(cache, 50);
                float[] expected = steps.feed(twin, 1);
                assertThat(steps.feed(cache, 1)).isEqualTo(expected);
                assertThat(steps.feed(fork, 1)).isEqualTo(expected);
            }
        }
    }

    @Test
    void rollbackBeyondTheLimitIsRefused() {
        try (PagePool pool = Steps.pool();
                KvCache cache = create("kivi(residual=32)", pool)) {
            steps.feed(cache, 70);
            assertThat(cache.rollbackLimit()).isEqualTo(6);
            assertThatThrownBy(() -> cache.rollback(7))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContainingAll("7", "length 70", "0 to 6");
            assertThatThrownBy(() -> cache.rollback(-1)).isInstanceOf(InvalidInputException.class);
            assertThat(cache.length()).isEqualTo(70);
        }
    }

    @Test
    void misuseIsRefused() {
        try (PagePool pool = Steps.pool()) {
            KvCache cache = create("exact", pool);
            assertThatThrownBy(() -> cache.layer(0).attend(steps.queries(0, 0, 1), new float[128]))
                    .isInstanceOf(IllegalStateException.class);
            cache.layer(0).append(steps.states(0, 0, 1));
            cache.layer(0).attend(steps.queries(0, 0, 1), new float[128]);
            assertThatThrownBy(cache::fork)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("under way");
            cache.close();
            cache.close();
            assertThatThrownBy(() -> cache.reserve(1)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> cache.layer(0).append(steps.states(0, 0, 1)))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    private byte[] saved(String spec, int length) throws IOException {
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, pool)) {
            steps.feed(cache, length);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            cache.save(out, "model-1");
            return out.toByteArray();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cskv(rollback=5)",
                "cskv(bits=4)",
                "cskv(k_bits=4, rule=flush, window=24)",
                "exact",
                "exact(f16)",
                "kivi(residual=32)",
                "kivi(bits=4)",
                "kivi(v_axis=channel, residual=32)",
                "kivi(k_axis=token, residual=0)",
                "block(q5_0, rotate=true)",
                "gear(group=32)",
                "gear(variant=gear, bits=4, sparsity=0.1)",
                "saq(segment=32)",
                "saq(16-8-3, segment=64, paperExact=true)",
                "saq(16, sinks=60)",
                "rotatekv(reorder=off)",
                "mikv",
                "mikv(0.4, rule=count, importance_bits=8)",
                "mikv(bits=0)",
                "kvquant(bits=2)",
                "kvquant(cap=0)",
                "a2ats(window=32, sinks=5, f=0.1)",
                "a2ats(window=16, store=block(q8_0))",
                "a2ats(window=16, store=gear(variant=gear, group=32))",
                "quest(budget=48, dense=1)",
                "quest(page=7, budget=30, dense=0)",
                "h2o(budget=30)",
                "snapkv(budget=40)",
                "zipvl(0.9, interval=50)",
                "zipvl(0.9, cache=drop, store=block(q8_0))",
                "minicache(start=0)",
                "minicache(start=0, inner=exact(f16), window=0, scope=head, gamma=0.2)",
                "minicache(start=0, inner=block(q4_0), window=32, scope=shared)",
                "xquant",
                "xquant(variant=b, v_axis=channel, group=64)",
                "xquant-cl(base_layers=1)",
                "xquant-cl(variant=d, base_layers=1)",
                "locret(budget=40)",
                "locret(0.3, store=block(q8_0, rotate=true))",
                "scissorhands(50)",
                "streaming(60, sinks=0, positions=true)",
                "lambda(40, trained=50)",
                "scissorhands(90, window=60, recent_exact=11, store=block(q4_0))",
                "scissorhands(90, prompt=dense)",
                "snapkv(budget=40, heads=adaptive)",
                "pyramidkv(budget=40)",
                "tova(budget=30)",
                "kvcrush(base=h2o, budget=30)",
                "kvcrush(budget=48, page=8)"
            })
    void aSavedCacheGoesOnAsIfNothingHadHappened(String spec) throws IOException {
        for (int length : new int[] {0, 1, 63, 200}) {
            PagePool pool = Steps.pool();
            try (KvCache cache = create(spec, pool)) {
                if (length > 0) {
                    steps.feed(cache, length);
                    cache.rollback(Math.min(cache.rollbackLimit(), 3));
                }
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                cache.save(out, "model-1");
                try (KvCache loaded = load(out.toByteArray(), "model-1", SHAPE, pool)) {
                    assertThat(loaded.spec()).isEqualTo(cache.spec());
                    assertThat(loaded.length()).isEqualTo(cache.length());
                    assertThat(loaded.footprint()).isEqualTo(cache.footprint());
                    ByteArrayOutputStream again = new ByteArrayOutputStream();
                    loaded.save(again, "model-1");
                    assertThat(again.toByteArray()).isEqualTo(out.toByteArray());
                    for (int i = 0; i < 40; i++) {
                        assertThat(steps.feed(loaded, 1)).isEqualTo(steps.feed(cache, 1));
                    }
                }
            }
            assertThat(pool.usedBytes()).isZero();
        }
    }

    private static KvCache load(byte[] bytes, String fingerprint, CacheShape shape, PagePool pool) throws IOException {
        return Caches.load(
                new ByteArrayInputStream(bytes),
                fingerprint,
                Calibrated.with(shape, MODEL.calibrations()),
                pool,
                Steps.sequential());
    }

    @Test
    void anotherModelsCacheIsRefused() throws IOException {
        byte[] bytes = saved("kivi(residual=32)", 50);
        PagePool pool = Steps.pool();
        assertThatThrownBy(() -> load(bytes, "model-2", SHAPE, pool))
                .isInstanceOf(CacheFileException.class)
                .hasMessageContainingAll("model-1", "model-2");
        CacheShape other = new CacheShape(2, 4, 2, 64, 16);
        assertThatThrownBy(() -> load(bytes, "model-1", other, pool))
                .isInstanceOf(CacheFileException.class)
                .hasMessageContaining("headDim=64");
        assertThatThrownBy(() -> load(bytes, "model-1", SHAPE, new PagePool(1000)))
                .isInstanceOf(CacheBudgetException.class);
    }

    @Test
    void truncatedFilesAreRefused() throws IOException {
        byte[] bytes = saved("kivi(residual=32)", 70);
        PagePool pool = Steps.pool();
        for (int length = 0; length < bytes.length; length += length < 200 ? 1 : 997) {
            byte[] cut = Arrays.copyOf(bytes, length);
            assertThatThrownBy(() -> load(cut, "model-1", SHAPE, pool))
                    .as("%d bytes", length)
                    .isInstanceOf(CacheFileException.class)
                    .hasMessageContaining("ends too early");
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @Test
    void damagedFilesAreRefused() throws IOException {
        byte[] bytes = saved("kivi(residual=32)", 70);
        PagePool pool = Steps.pool();
        Random random = new Random(5);
        for (int at = 0; at < bytes.length; at += at < 250 ? 1 : 1 + random.nextInt(1500)) {
            byte[] damaged = bytes.clone();
            damaged[at] ^= (byte) (1 << random.nextInt(8));
            assertThatThrownBy(() -> load(damaged, "model-1", SHAPE, pool))
                    .as("byte %d", at)
                    .isInstanceOf(CacheFileException.class);
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @Test
    void hostileLengthsWithRightChecksumsAllocateNothingOfTheirs() throws IOException {
        byte[] bytes = saved("kivi(residual=32)", 70);
        int headerEnd = headerEnd(bytes);
        for (int length : new int[] {-1, 69, 1 << 20, Integer.MAX_VALUE}) {
            byte[] hostile = bytes.clone();
            ByteBuffer.wrap(hostile).putInt(headerEnd - 4, length);
            CRC32C crc = new CRC32C();
            crc.update(hostile, 0, headerEnd);
            ByteBuffer.wrap(hostile).putLong(headerEnd, crc.getValue());
            PagePool pool = new PagePool(10_000_000);
            assertThatThrownBy(() -> load(hostile, "model-1", SHAPE, pool)).isInstanceOf(KvasirException.class);
            assertThat(pool.usedBytes()).isZero();
            assertThat(pool.reservedBytes()).isLessThan(bytes.length + 100_000L);
        }
    }

    /** Where the header's checksum stands: after magic, version, two texts and six numbers. */
    private static int headerEnd(byte[] bytes) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        int at = 12;
        at += 4 + buffer.getInt(at);
        at += 4 + buffer.getInt(at);
        return at + 24;
    }
}
