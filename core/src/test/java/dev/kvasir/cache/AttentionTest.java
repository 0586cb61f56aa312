package dev.kvasir.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.transform.Hadamard;
import dev.kvasir.cache.transform.Transform;
import dev.kvasir.tensor.Workers;
import java.lang.management.ManagementFactory;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AttentionTest {
    private final Random random = new Random(11);

    @ParameterizedTest
    @ValueSource(
            strings = {
                "exact",
                "exact(f16)",
                "exact(bf16)",
                "kivi",
                "kivi(bits=4, residual=32)",
                "kivi(bits=8, group=64)",
                "kivi(group=16, residual=32, dtype=f32)",
                "kivi(k_bits=4, v_bits=2, residual=64, group=64)",
                "kivi(k_axis=token, residual=0)",
                "kivi(k_axis=token, v_axis=channel, residual=64)",
                "kivi(v_axis=channel, residual=32)",
                "block",
                "block(q4_0)",
                "block(q5_0, rotate=true)",
                "block(k=q8_0, v=q4_0, rotate=true)",
                "saq(segment=32)",
                "saq(16-8-4-2-1, segment=64, sinks=40)",
                "saq(32-6-5-3, segment=32, group=16, paperExact=true)",
                "saq(16)"
            })
    void equalsPlainLoopsOverTheDecodedContent(String text) {
        CacheSpec spec = CacheSpec.parse(text);
        for (int ratio : new int[] {1, 2, 4, 8}) {
            int headDim = new int[] {64, 128, 96}[random.nextInt(3)];
            if (text.contains("group=64") && headDim == 96) {
                headDim = 64;
            }
            int kvHeads = ratio < 3 ? 2 : 1;
            CacheShape shape = new CacheShape(1, kvHeads * ratio, kvHeads, headDim, 64);
            Transform transform = text.contains("rotate=true") ? new Hadamard(headDim) : Transform.NONE;
            checkSteps(spec, shape, transform, 1 + random.nextInt(300));
        }
    }

    private void checkSteps(CacheSpec spec, CacheShape shape, Transform transform, int prompt) {
        Steps steps = new Steps(shape, random.nextLong());
        PagePool pool = Steps.pool();
        try (KvCache cache = Caches.create(spec, shape, pool, Steps.sequential())) {
            for (int count : new int[] {prompt, 1, 3, 19, 70, 1}) {
                float[] expected = steps.expected((SequenceCache) cache, transform, transform, count);
                Steps.assertClose(steps.feed(cache, count), expected, 1e-5);
            }
        }
        assertThat(pool.usedBytes()).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "turboquant",
                "turboquant(2, outliers=16, projection=orthogonal)",
                "turboquant(bits=4, keys=mse, rotation=hadamard)",
                "turboquant(k_bits=5, v_bits=3)",
                "qserve(smooth=false)",
                "qserve(8, smooth=false, page=32)",
                "bfp",
                "bfp(bfp14, block=16)",
                "bfp(bfp16, v_axis=token)",
                "scissorhands(900, block=900, recent_exact=10, store=qserve(smooth=false))",
                "scissorhands(900, block=900, recent_exact=37, store=exact(bf16))"
            })
    void equalsPlainLoopsOverWhatIsRead(String text) {
        CacheSpec spec = CacheSpec.parse(text);
        for (int ratio : new int[] {1, 4}) {
            for (int headDim : new int[] {64, 96, 128}) {
                CacheShape shape = new CacheShape(1, 2 * ratio, 2, headDim, 64);
                Steps steps = new Steps(shape, random.nextLong());
                PagePool pool = Steps.pool();
                try (KvCache cache = Caches.create(spec, shape, pool, Steps.sequential())) {
                    for (int count : new int[] {1 + random.nextInt(200), 1, 3, 19, 70, 1}) {
                        float[] expected = steps.expectedByReading((SequenceCache) cache, count);
                        Steps.assertClose(steps.feed(cache, count), expected, 2e-5);
                    }
                }
                assertThat(pool.usedBytes()).isZero();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {16, 40, 80, 100, 256})
    void exactServesAnyHeadWidth(int headDim) {
        checkSteps(CacheSpec.parse("exact(f16)"), new CacheShape(1, 3, 1, headDim, 8), Transform.NONE, 130);
    }

    @Test
    void kiviServesHeadsOf80Channels() {
        CacheSpec spec = CacheSpec.parse("kivi(group=16, residual=32)");
        checkSteps(spec, new CacheShape(1, 4, 2, 80, 8), Transform.NONE, 200);
        checkSteps(spec, new CacheShape(1, 4, 1, 80, 8), Transform.NONE, 200);
    }

    @ParameterizedTest
    @ValueSource(strings = {"exact(f16)", "kivi", "block(q4_0, rotate=true)", "saq"})
    void longCachesAgreeWithPlainLoopsAndAcrossThreads(String text) {
        CacheShape shape = new CacheShape(1, 4, 2, 64, 8);
        Steps steps = new Steps(shape, 5);
        Transform transform = text.contains("rotate") ? new Hadamard(64) : Transform.NONE;
        try (PagePool pool = Steps.pool();
                Workers two = Steps.twoThreads();
                KvCache cache = Caches.create(CacheSpec.parse(text), shape, pool, Steps.sequential());
                KvCache parallel = Caches.create(CacheSpec.parse(text), shape, pool, two)) {
            for (int count : new int[] {700, 3500, 1, 1, 5, 1}) {
                float[] expected = steps.expected((SequenceCache) cache, transform, transform, count < 10 ? count : 1);
                float[] found = steps.feed(cache, count);
                assertThat(steps.feed(parallel, count)).isEqualTo(found);
                if (count < 10) {
                    Steps.assertClose(found, expected, 1e-5);
                }
            }
        }
    }

    @Test
    void decodingAllocatesNothing() {
        CacheShape shape = new CacheShape(2, 8, 2, 64, 8);
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        CacheModel model = Calibrated.model(shape);
        for (String text : new String[] {
            "exact(f16)",
            "kivi",
            "block(q4_0, rotate=true)",
            "saq",
            "rotatekv(reorder=off)",
            "mikv",
            "scissorhands(200)",
            "streaming(250)",
            "vidkv",
            "gear(variant=gear)",
            "zipcache(interval=4000)",
            "kvquant"
        }) {
            // Vectors are objects until the JIT has compiled their loops: wait for that, but not for ever.
            long perToken = Long.MAX_VALUE;
            for (int round = 0; round < 60 && perToken > 400; round++) {
                perToken = allocatedPerToken(text, model, threads);
            }
            // What is left are the pages' own objects and a claim for each step that needs one.
            assertThat(perToken).as(text).isLessThan(400);
        }
    }

    private static long allocatedPerToken(String text, CacheModel model, com.sun.management.ThreadMXBean threads) {
        Steps steps = new Steps(model.shape(), 1);
        try (PagePool pool = Steps.pool();
                KvCache cache = Caches.create(CacheSpec.parse(text), model, pool, Steps.sequential())) {
            steps.feed(cache, 300);
            TokenStates states = steps.states(0, 300, 1);
            Queries queries = steps.queries(0, 300, 1);
            float[] output = new float[8 * 64];
            step(cache, states, queries, output);
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int t = 0; t < 1000; t++) {
                step(cache, states, queries, output);
            }
            return (threads.getCurrentThreadAllocatedBytes() - before) / 1000;
        }
    }

    private static void step(KvCache cache, TokenStates states, Queries queries, float[] output) {
        cache.reserve(1);
        for (int layer = 0; layer < 2; layer++) {
            cache.layer(layer).append(states);
            cache.layer(layer).attend(queries, output);
        }
    }
}
