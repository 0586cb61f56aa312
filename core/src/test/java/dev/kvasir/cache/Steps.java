package dev.kvasir.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.store.ReadBack;
import dev.kvasir.cache.store.StoreContents;
import dev.kvasir.cache.transform.Transform;
import dev.kvasir.tensor.Workers;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.IntConsumer;

/** A made-up model's states: token {@code t} of a seed is always the same, whatever the step it comes in. */
public final class Steps {
    private final CacheShape shape;
    private final long seed;
    private final boolean projected;

    public Steps(CacheShape shape, long seed) {
        this(shape, seed, false);
    }

    private Steps(CacheShape shape, long seed, boolean projected) {
        this.shape = shape;
        this.seed = seed;
        this.projected = projected;
    }

    /** States whose keys and values are the products of their input with {@link MadeUpWeights}. */
    public static Steps projected(CacheShape shape, long seed) {
        return new Steps(shape, seed, true);
    }

    /** A pool larger than any test needs. */
    public static PagePool pool() {
        return new PagePool(1L << 32);
    }

    /** The settings of a spec, defaults filled in. */
    public static CacheSettings settings(String spec) {
        return new CacheSettings(Caches.complete(CacheSpec.parse(spec)).options());
    }

    /** Workers that do one part after the other. */
    public static Workers sequential() {
        return new Workers() {
            @Override
            public int threads() {
                return 1;
            }

            @Override
            public void run(int parts, IntConsumer part) {
                for (int i = 0; i < parts; i++) {
                    part.accept(i);
                }
            }

            @Override
            public void close() {}
        };
    }

    /** Workers on two threads: the odd parts on one, the even ones, last first, on the other. */
    public static Workers twoThreads() {
        ExecutorService other = Executors.newSingleThreadExecutor();
        return new Workers() {
            @Override
            public int threads() {
                return 2;
            }

            @Override
            public void run(int parts, IntConsumer part) {
                CompletableFuture<Void> odd = CompletableFuture.runAsync(
                        () -> {
                            for (int i = 1; i < parts; i += 2) {
                                part.accept(i);
                            }
                        },
                        other);
                for (int i = (parts - 1) / 2 * 2; i >= 0; i -= 2) {
                    part.accept(i);
                }
                odd.join();
            }

            @Override
            public void close() {
                other.shutdown();
            }
        };
    }

    /** Feeds the next {@code count} tokens as one step; returns the outputs, {@code [layers][count][heads][headDim]} in one. */
    public float[] feed(KvCache cache, int count) {
        return feed(cache, cache.length(), count);
    }

    /** As {@link #feed(KvCache, int)}, with the states of the tokens from {@code first} on. */
    public float[] feed(KvCache cache, int first, int count) {
        cache.reserve(count);
        int size = count * shape.heads() * shape.headDim();
        float[] all = new float[shape.layers() * size];
        for (int layer = 0; layer < shape.layers(); layer++) {
            float[] output = new float[size];
            cache.layer(layer).append(states(layer, first, count));
            cache.layer(layer).attend(queries(layer, first, count), output);
            System.arraycopy(output, 0, all, layer * size, size);
        }
        return all;
    }

    /** The states of a step. */
    public TokenStates states(int layer, int first, int count) {
        int width = shape.kvHeads() * shape.headDim();
        if (projected) {
            return new MadeUpWeights(shape)
                    .states(first, count, rows(layer, 5, first, count, shape.hiddenSize()), layer);
        }
        float[] keys = rows(layer, 1, first, count, width);
        float[] values = rows(layer, 2, first, count, width);
        return new TokenStates() {
            private float[] keysBeforeRope = {};

            @Override
            public int count() {
                return count;
            }

            @Override
            public int firstPosition() {
                return first;
            }

            @Override
            public float[] residual() {
                return rows(layer, 4, first, count, shape.hiddenSize());
            }

            @Override
            public float[] input() {
                throw new AssertionError("asked for the input");
            }

            @Override
            public float[] keysBeforeRope() {
                if (keysBeforeRope.length == 0) {
                    keysBeforeRope = turnedBack(keys, first, count, shape.kvHeads());
                }
                return keysBeforeRope;
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

    /** Keys before the rotary embedding of {@link CacheModel#of(CacheShape)}. */
    private float[] turnedBack(float[] keys, int first, int count, int heads) {
        int half = shape.headDim() / 2;
        float[] back = keys.clone();
        for (int i = 0; i < count * heads * half; i++) {
            int at = i / half * 2 * half + i % half;
            int position = first + i / half / heads;
            double angle = position * Math.pow(10_000, -(double) (i % half) / half);
            double a = keys[at];
            double b = keys[at + half];
            back[at] = (float) (a * Math.cos(angle) + b * Math.sin(angle));
            back[at + half] = (float) (b * Math.cos(angle) - a * Math.sin(angle));
        }
        return back;
    }

    /** The queries of a step. */
    public Queries queries(int layer, int first, int count) {
        float[] queries = rows(layer, 3, first, count, shape.heads() * shape.headDim());
        return new Queries() {
            @Override
            public int count() {
                return count;
            }

            @Override
            public float[] queriesBeforeRope() {
                return turnedBack(queries, first, count, shape.heads());
            }

            @Override
            public float[] queries() {
                return queries;
            }
        };
    }

    private float[] rows(int layer, int kind, int first, int count, int width) {
        float[] rows = new float[count * width + 5];
        for (int t = 0; t < count; t++) {
            Random random = new Random(seed * 1_000_003 + layer * 7919L + kind * 104_729L + (first + t) * 15_485_863L);
            for (int i = 0; i < width; i++) {
                // A few channels of large magnitude, as trained models have them.
                float offset = kind == 1 && i % 29 == 3 ? 4 : 0;
                rows[t * width + i] = (float) random.nextGaussian() * (kind == 3 ? 2 : 1) + offset;
            }
        }
        return rows;
    }

    /** What the outputs of the next step must be, by plain loops over the decoded content of the stores. */
    public float[] expected(SequenceCache cache, Transform keyTransform, Transform valueTransform, int count) {
        int first = cache.length();
        int d = shape.headDim();
        int g = shape.queriesPerKvHead();
        float[] all = new float[shape.layers() * count * shape.heads() * d];
        for (int layer = 0; layer < shape.layers(); layer++) {
            TokenStates states = states(layer, first, count);
            float[] q = queries(layer, first, count).queries();
            for (int head = 0; head < shape.heads(); head++) {
                Head stored = cache.head(layer, head / g);
                float[][] keys = turnedBack(StoreContents.keys(stored.keys(), d), keyTransform);
                float[][] values = turnedBack(StoreContents.values(stored.values(), d), valueTransform);
                for (int t = 0; t < count; t++) {
                    int at = ((layer * count + t) * shape.heads() + head) * d;
                    int row = (t * shape.heads() + head) * d;
                    attend(q, row, keys, values, states, head / g, t, all, at);
                }
            }
        }
        return all;
    }

    /** As {@link #expected}, over what the layers' readers answer for one slot and one channel at a time. */
    public float[] expectedByReading(SequenceCache cache, int count) {
        int first = cache.length();
        int d = shape.headDim();
        int g = shape.queriesPerKvHead();
        float[] all = new float[shape.layers() * count * shape.heads() * d];
        for (int layer = 0; layer < shape.layers(); layer++) {
            TokenStates states = states(layer, first, count);
            float[] q = queries(layer, first, count).queries();
            for (int head = 0; head < shape.heads(); head++) {
                float[][] keys = ReadBack.keys(cache.store(layer).keys(head / g), d);
                float[][] values = ReadBack.values(cache.store(layer).values(head / g), d);
                for (int t = 0; t < count; t++) {
                    int at = ((layer * count + t) * shape.heads() + head) * d;
                    attend(q, (t * shape.heads() + head) * d, keys, values, states, head / g, t, all, at);
                }
            }
        }
        return all;
    }

    private static float[][] turnedBack(float[][] rows, Transform transform) {
        for (float[] row : rows) {
            transform.invert(row, 0, 1);
        }
        return rows;
    }

    private void attend(
            float[] q,
            int row,
            float[][] keys,
            float[][] values,
            TokenStates own,
            int kvHead,
            int token,
            float[] out,
            int at) {
        int d = shape.headDim();
        int total = keys.length + token + 1;
        double[] weights = new double[total];
        double max = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < total; i++) {
            double score = 0;
            for (int c = 0; c < d; c++) {
                score += q[row + c] * (double) element(keys, own.keys(), kvHead, i, c);
            }
            weights[i] = score / Math.sqrt(d);
            max = Math.max(max, weights[i]);
        }
        double sum = 0;
        for (int i = 0; i < total; i++) {
            weights[i] = Math.exp(weights[i] - max);
            sum += weights[i];
        }
        for (int c = 0; c < d; c++) {
            double value = 0;
            for (int i = 0; i < total; i++) {
                value += weights[i] * element(values, own.values(), kvHead, i, c);
            }
            out[at + c] = (float) (value / sum);
        }
    }

    private float element(float[][] stored, float[] own, int kvHead, int slot, int channel) {
        if (slot < stored.length) {
            return stored[slot][channel];
        }
        return own[((slot - stored.length) * shape.kvHeads() + kvHead) * shape.headDim() + channel];
    }

    /** Asserts that outputs agree: their difference is at most {@code tolerance} of them, by the Euclidean norm. */
    public static void assertClose(float[] found, float[] expected, double tolerance) {
        assertThat(found).hasSameSizeAs(expected);
        double norm = 0;
        double difference = 0;
        for (int i = 0; i < expected.length; i++) {
            norm += expected[i] * (double) expected[i];
            difference += (found[i] - (double) expected[i]) * (found[i] - (double) expected[i]);
        }
        assertThat(Math.sqrt(difference / norm)).isLessThanOrEqualTo(tolerance);
    }
}
