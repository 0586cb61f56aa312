package dev.kvasir.cache.method.gear;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.store.Scratch;
import java.util.function.IntFunction;

/** A cache of one layer fed with rows of the test's own making. */
final class GearRig {
    private GearRig() {}

    static SequenceCache create(String spec, CacheShape shape, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), shape, pool, Steps.sequential());
    }

    static GearLayer layer(SequenceCache cache) {
        return (GearLayer) cache.store(0);
    }

    /** The only chunk of a prompt with the rows as keys and as values, to which nothing attends. */
    static Chunk chunk(String spec, int kvHeads, int headDim, float[][] rows, PagePool pool) {
        CacheShape shape = new CacheShape(1, kvHeads, kvHeads, headDim, 16);
        GearLayer layer = layer(create(spec, shape, pool));
        try (PagePool.Claim claim = pool.claim(layer.wantedBytes(rows.length))) {
            layer.reserve(rows.length, claim);
        }
        Scratch scratch = new Scratch();
        layer.begin(states(i -> rows[i], rows.length, 0), noQueries(rows.length, 0));
        for (int part = 0; part < layer.appendParts(); part++) {
            layer.append(part, scratch);
        }
        for (int part = 0; part < layer.completeParts(); part++) {
            layer.complete(part, scratch);
        }
        layer.end();
        return layer.chunks().getFirst();
    }

    /** Feeds {@code count} rows as one step. */
    static float[] feed(SequenceCache cache, float[][] rows, int first, int count) {
        CacheShape shape = cache.shape();
        float[] output = new float[count * shape.heads() * shape.headDim()];
        cache.reserve(count);
        cache.layer(0).append(states(i -> rows[first + i], count, first));
        cache.layer(0).attend(noQueries(count, output.length), output);
        return output;
    }

    private static Queries noQueries(int count, int size) {
        return new Queries() {
            @Override
            public int count() {
                return count;
            }

            @Override
            public float[] queriesBeforeRope() {
                throw new AssertionError("asked for queries before RoPE");
            }

            @Override
            public float[] queries() {
                return new float[size];
            }
        };
    }

    private static TokenStates states(IntFunction<float[]> row, int count, int first) {
        int width = row.apply(0).length;
        float[] flat = new float[count * width];
        for (int t = 0; t < count; t++) {
            System.arraycopy(row.apply(t), 0, flat, t * width, width);
        }
        return new TokenStates() {
            @Override
            public int count() {
                return count;
            }

            @Override
            public int firstPosition() {
                return first;
            }

            @Override
            public float[] input() {
                throw new AssertionError("asked for the input");
            }

            @Override
            public float[] residual() {
                throw new AssertionError("asked for the residual");
            }

            @Override
            public float[] keysBeforeRope() {
                throw new AssertionError("asked for keys before RoPE");
            }

            @Override
            public float[] keys() {
                return flat;
            }

            @Override
            public float[] values() {
                return flat;
            }
        };
    }
}
