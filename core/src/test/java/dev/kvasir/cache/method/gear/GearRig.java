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
        return chunk(spec, kvHeads, headDim, rows, rows, pool);
    }

    /** As above, of other values than keys. */
    static Chunk chunk(String spec, int kvHeads, int headDim, float[][] keys, float[][] values, PagePool pool) {
        CacheShape shape = new CacheShape(1, kvHeads, kvHeads, headDim, 16);
        int count = keys.length;
        GearLayer layer = layer(create(spec, shape, pool));
        try (PagePool.Claim claim = pool.claim(layer.wantedBytes(count))) {
            layer.reserve(count, claim);
        }
        Scratch scratch = new Scratch();
        layer.begin(states(flat(keys, 0, count), flat(values, 0, count), count, 0), noQueries(count, 0));
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
        float[] flat = flat(rows, first, count);
        cache.layer(0).append(states(flat, flat, count, first));
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

    private static float[] flat(float[][] rows, int first, int count) {
        int width = rows[first].length;
        float[] flat = new float[count * width];
        for (int t = 0; t < count; t++) {
            System.arraycopy(rows[first + t], 0, flat, t * width, width);
        }
        return flat;
    }

    private static TokenStates states(float[] keys, float[] values, int count, int first) {
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
                return keys;
            }

            @Override
            public float[] values() {
                return values;
            }
        };
    }
}
