package dev.kvasir.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Decoding allocates nothing, once the JIT has compiled its loops. Each cache decodes in a JVM of its own: what others
 * have taught the JIT about the code they share would decide what it can inline.
 */
class AllocationTest {
    /** Time for the JIT, which may have to wait for a processor. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private static final int ATTEMPTS = 3;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "exact(f16)",
                "kivi",
                "block(q4_0, rotate=true)",
                "saq",
                "rotatekv(reorder=off)",
                "mikv",
                "vidkv",
                "gear(variant=gear)",
                "zipcache(interval=4000)",
                "kvquant",
                "minicache(start=0)",
                "minicache(start=0, window=0, inner=block(q4_0))",
                "xquant(variant=a)",
                "xquant(variant=b)",
                "cskv",
                "cskv(bits=4)",
                "locret(budget=200)",
                "a2ats(window=16)",
                "quest(budget=48, dense=1)",
                "scissorhands(200)",
                "streaming(250)",
                "lambda(window=250)",
                "h2o(budget=200)",
                "snapkv",
                "zipvl(interval=4000)"
            })
    void decodingAllocatesNothing(String text) throws Exception {
        // Now and then a JIT that was short of time settles on code that boxes vectors; what is ours is there in every
        // JVM.
        long least = Long.MAX_VALUE;
        for (int attempt = 0; attempt < ATTEMPTS && least >= 400; attempt++) {
            least = Math.min(least, inItsOwnJvm(text));
        }
        // What is left are the pages' own objects and a claim for each step that needs one.
        assertThat(least).isLessThan(400);
    }

    private static long inItsOwnJvm(String text) throws Exception {
        Process child = new ProcessBuilder(
                        ProcessHandle.current().info().command().orElse("java"),
                        "--add-modules",
                        "jdk.incubator.vector",
                        "--enable-native-access=ALL-UNNAMED",
                        "-Xmx2g",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        AllocationTest.class.getName(),
                        text)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        String found = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(child.waitFor()).as(found).isZero();
        return Long.parseLong(found);
    }

    /** Prints the bytes that a token of the cache named takes on the heap, once the JIT has done what it can. */
    public static void main(String[] args) {
        CacheShape shape = new CacheShape(2, 8, 2, 64, 16);
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        CacheModel model = Calibrated.model(shape);
        long end = System.nanoTime() + PATIENCE.toNanos();
        // Vectors are objects until the JIT has compiled their loops: wait for that, but not for ever.
        long perToken = Long.MAX_VALUE;
        while (perToken >= 400 && System.nanoTime() < end) {
            perToken = allocatedPerToken(args[0], model, threads);
        }
        System.out.println(perToken);
    }

    private static long allocatedPerToken(String text, CacheModel model, com.sun.management.ThreadMXBean threads) {
        Steps steps = (text.startsWith("xquant") || text.startsWith("cskv"))
                ? Steps.projected(model.shape(), 1)
                : new Steps(model.shape(), 1);
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
