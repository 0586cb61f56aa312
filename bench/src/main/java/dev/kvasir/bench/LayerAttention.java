package dev.kvasir.bench;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrations;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.tensor.RotaryTable;
import dev.kvasir.tensor.Workers;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** One layer's step of decoding through {@link KvCache}: a token is appended and attends to all before it. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class LayerAttention {
    private static final int CHUNK = 512;
    private static final int HEAD_DIM = 64;
    private static final long POOL_BYTES = 4L << 30;

    /** The cache. */
    @Param({"exact(f16)", "kivi(bits=2)", "kivi(bits=4)", "block(q8_0)", "block(q4_0)"})
    public String cache = "";

    /** Tokens in the cache when an iteration begins. */
    @Param({"2048", "16384"})
    public int depth;

    /** KV heads and query heads of each. */
    @Param({"8x4", "16x1"})
    public String heads = "";

    /** Threads, the caller's included. */
    @Param({"1", "2"})
    public int threads;

    private Runnable fork = () -> {};
    private Runnable step = () -> {};

    /** Fills a cache to the depth. */
    @Setup(Level.Trial)
    public void fill() {
        int kvHeads = Integer.parseInt(heads.substring(0, heads.indexOf('x')));
        int group = Integer.parseInt(heads.substring(heads.indexOf('x') + 1));
        CacheShape shape = new CacheShape(1, kvHeads * group, kvHeads, HEAD_DIM, HEAD_DIM);
        CacheModel model = new CacheModel(shape, RotaryTable.of(HEAD_DIM, 10_000), Calibrations.NONE);
        Workers workers = Workers.of(threads);
        SplittableRandom random = new SplittableRandom(1);
        float[] states = normal(random, CHUNK * kvHeads * HEAD_DIM);
        float[] queries = normal(random, CHUNK * kvHeads * group * HEAD_DIM);
        float[] out = new float[queries.length];
        KvCache filled = Caches.create(CacheSpec.parse(cache), model, new PagePool(POOL_BYTES), workers);
        while (filled.length() < depth) {
            step(filled, Math.min(CHUNK, depth - filled.length()), states, queries, out);
        }
        KvCache[] current = {filled.fork()};
        fork = () -> {
            current[0].close();
            current[0] = filled.fork();
        };
        step = () -> step(current[0], 1, states, queries, out);
    }

    private static float[] normal(SplittableRandom random, int count) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return numbers;
    }

    private static void step(KvCache cache, int count, float[] states, float[] queries, float[] out) {
        int first = cache.length();
        cache.reserve(count);
        cache.layer(0).append(new Same(count, first, states));
        cache.layer(0).attend(new SameQueries(count, queries), out);
    }

    /** Every iteration begins at the depth again. */
    @Setup(Level.Iteration)
    public void begin() {
        fork.run();
    }

    /** One token. */
    @Benchmark
    public void decode() {
        step.run();
    }

    /** The same numbers for whatever a cache keeps. */
    @SuppressWarnings("ArrayRecordComponent") // a view, never compared
    private record Same(int count, int firstPosition, float[] keys) implements TokenStates {
        @Override
        public float[] input() {
            return keys;
        }

        @Override
        public float[] residual() {
            return keys;
        }

        @Override
        public float[] keysBeforeRope() {
            return keys;
        }

        @Override
        public float[] values() {
            return keys;
        }
    }

    @SuppressWarnings("ArrayRecordComponent") // a view, never compared
    private record SameQueries(int count, float[] queries) implements Queries {
        @Override
        public float[] queriesBeforeRope() {
            return queries;
        }
    }
}
