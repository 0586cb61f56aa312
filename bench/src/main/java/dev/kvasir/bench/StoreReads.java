package dev.kvasir.bench;

import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.RowKeys;
import dev.kvasir.cache.store.RowValues;
import dev.kvasir.cache.store.Scratch;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** One head's scores and weighted sums over {@value #TOKENS} tokens of a store, on one thread. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class StoreReads {
    /** Tokens of one call: those of a tile of attention. */
    static final int TOKENS = Scratch.TILE;

    private static final int PAGE_TOKENS = 128;

    /** Bits of a code by channel (keys) and token (values), a type of ggml's, or an element type. */
    @Param({"1", "2", "3", "4", "5", "6", "8", "q8_0", "q4_0", "f16", "bf16", "f32"})
    public String store = "";

    /** Channels of a head. */
    @Param({"64", "80", "96", "128", "256"})
    public int headDim;

    /** Query heads of a KV head. */
    @Param({"1", "4", "8"})
    public int group;

    private final Scratch scratch = new Scratch();
    private float[] queries = {};
    private float[] weights = {};
    private float[] scores = {};
    private float[] sums = {};
    private Runnable score = () -> {};
    private Runnable sum = () -> {};

    /** Fills both stores. */
    @Setup
    public void fill() {
        SplittableRandom random = new SplittableRandom(1);
        PagePool pool = new PagePool(64L << 20);
        Kernels kernels = Kernels.best();
        float[] rows = normal(random, TOKENS * headDim);
        queries = normal(random, group * headDim);
        weights = normal(random, group * TOKENS);
        scores = new float[group * (TOKENS + Kernels.PANEL)];
        sums = new float[group * headDim];
        RowKeys keys = keys(pool, kernels);
        RowValues values = values(pool, kernels);
        try (PagePool.Claim claim = pool.claim(keys.wantedBytes(TOKENS) + values.wantedBytes(TOKENS))) {
            keys.reserve(TOKENS, claim);
            values.reserve(TOKENS, claim);
        }
        keys.append(rows, 0, headDim, TOKENS, scratch);
        values.append(rows, 0, headDim, TOKENS, scratch);
        int stride = TOKENS + Kernels.PANEL;
        score = () -> keys.scores(queries, 0, group, 0, TOKENS, scores, 0, stride, scratch);
        sum = () -> values.addWeighted(weights, 0, TOKENS, group, 0, TOKENS, sums, 0, scratch);
    }

    /** Scores of all query heads against the tokens. */
    @Benchmark
    public float[] scores() {
        score.run();
        return scores;
    }

    /** Weighted sums of the tokens for all query heads. */
    @Benchmark
    public float[] sums() {
        sum.run();
        return sums;
    }

    private RowKeys keys(PagePool pool, Kernels kernels) {
        return switch (store) {
            case "f16", "bf16", "f32" -> new ExactKeys(pool, kernels, Element.of(store), headDim, PAGE_TOKENS, false);
            case "q8_0" -> new PackedKeys(pool, kernels, keys(8, Axis.PER_LANE, Quantizer.Q8_0));
            case "q4_0" -> new PackedKeys(pool, kernels, keys(4, Axis.PER_LANE, Quantizer.Q4_0));
            default -> new PackedKeys(pool, kernels, keys(bits(), Axis.PER_DEPTH, Quantizer.MIN_MAX));
        };
    }

    private RowValues values(PagePool pool, Kernels kernels) {
        return switch (store) {
            case "f16", "bf16", "f32" -> new ExactValues(pool, kernels, Element.of(store), headDim, PAGE_TOKENS, 0);
            case "q8_0" -> new PackedValues(pool, kernels, values(8, Quantizer.Q8_0));
            case "q4_0" -> new PackedValues(pool, kernels, values(4, Quantizer.Q4_0));
            default -> new PackedValues(pool, kernels, values(bits(), Quantizer.MIN_MAX));
        };
    }

    private int bits() {
        return Integer.parseInt(store);
    }

    /** Numbers that share a scale: 32 where they divide the head. */
    private int run() {
        return headDim % 32 == 0 ? 32 : 16;
    }

    private PackedLayout keys(int bits, Axis axis, Quantizer quantizer) {
        return new PackedLayout(PAGE_TOKENS, headDim, bits, axis == Axis.PER_DEPTH ? 32 : run(), axis, quantizer);
    }

    private PackedLayout values(int bits, Quantizer quantizer) {
        return new PackedLayout(headDim, PAGE_TOKENS, bits, run(), Axis.PER_DEPTH, quantizer);
    }

    private static float[] normal(SplittableRandom random, int count) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return numbers;
    }
}
