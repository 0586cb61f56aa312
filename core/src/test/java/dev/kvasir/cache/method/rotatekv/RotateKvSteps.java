package dev.kvasir.cache.method.rotatekv;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.TokenStates;
import java.util.Random;
import java.util.Set;

/**
 * A made-up model whose keys before RoPE have channel means, some of them outliers, as trained models' have (RotateKV, figure 2),
 * and whose residual stream has massive entries at planted tokens. Token {@code t} is the same whatever the step it comes in.
 */
final class RotateKvSteps {
    private final CacheShape shape;
    private final long seed;
    private final float[][] means;
    private final boolean withMeans;
    private final Set<Integer> massive;

    /** Keys with means, none of the tokens massive. */
    RotateKvSteps(CacheShape shape, long seed) {
        this(shape, seed, true, Set.of());
    }

    /**
     * States of a model.
     *
     * @param withMeans whether channels have means, else keys are Gaussian
     * @param massive tokens with an activation of 100 times the usual, all in one channel
     */
    RotateKvSteps(CacheShape shape, long seed, boolean withMeans, Set<Integer> massive) {
        this.shape = shape;
        this.seed = seed;
        this.withMeans = withMeans;
        this.massive = massive;
        means = new float[shape.layers()][width()];
        for (int layer = 0; withMeans && layer < shape.layers(); layer++) {
            Random random = new Random(4711 + layer);
            for (int c = 0; c < width(); c++) {
                means[layer][c] = (float) random.nextGaussian();
            }
            for (int head = 0; head < shape.kvHeads(); head++) {
                for (int i = 0; i < 4; i++) {
                    int c = head * shape.headDim() + random.nextInt(shape.headDim());
                    means[layer][c] = (5 + 9 * random.nextFloat()) * (random.nextBoolean() ? 1 : -1);
                }
            }
        }
    }

    int width() {
        return shape.kvHeads() * shape.headDim();
    }

    /** The same model on another text. */
    RotateKvSteps otherText() {
        return new RotateKvSteps(shape, seed + 77, withMeans, massive);
    }

    float[] keysBeforeRope(int layer, int first, int count) {
        float[] keys = gaussian(layer, 1, first, count, width());
        for (int i = 0; i < keys.length; i++) {
            keys[i] += means[layer][i % width()];
        }
        return keys;
    }

    float[] values(int layer, int first, int count) {
        return gaussian(layer, 2, first, count, width());
    }

    /** Small enough that many tokens have weight in spite of the keys' means. */
    float[] queries(int layer, int first, int count) {
        float[] queries = gaussian(layer, 3, first, count, shape.heads() * shape.headDim());
        for (int i = 0; i < queries.length; i++) {
            queries[i] *= 0.4f;
        }
        return queries;
    }

    float[] residual(int layer, int first, int count) {
        float[] rows = gaussian(layer, 4, first, count, shape.hiddenSize());
        for (int t = 0; t < count; t++) {
            if (massive.contains(first + t)) {
                rows[t * shape.hiddenSize() + 5] *= 100;
                rows[t * shape.hiddenSize() + 5] += 300;
            }
        }
        return rows;
    }

    private float[] gaussian(int layer, int kind, int first, int count, int width) {
        float[] rows = new float[count * width];
        for (int t = 0; t < count; t++) {
            Random random = new Random(seed * 1_000_003 + layer * 7919L + kind * 104_729L + (first + t) * 15_485_863L);
            for (int i = 0; i < width; i++) {
                rows[t * width + i] = (float) random.nextGaussian();
            }
        }
        return rows;
    }

    /** Rotary embedding of base 10,000 in doubles, pair i being channels i and i + headDim / 2. */
    float[] rope(float[] keys, int first) {
        int half = shape.headDim() / 2;
        float[] out = keys.clone();
        for (int i = 0; i < keys.length / 2; i++) {
            int at = i / half * 2 * half + i % half;
            int position = first + at / width();
            double angle = position * Math.pow(10_000, -(double) (i % half) / half);
            out[at] = (float) (keys[at] * Math.cos(angle) - keys[at + half] * Math.sin(angle));
            out[at + half] = (float) (keys[at + half] * Math.cos(angle) + keys[at] * Math.sin(angle));
        }
        return out;
    }

    TokenStates states(int layer, int first, int count) {
        float[] before = keysBeforeRope(layer, first, count);
        float[] after = rope(before, first);
        float[] values = values(layer, first, count);
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
            public float[] residual() {
                return RotateKvSteps.this.residual(layer, first, count);
            }

            @Override
            public float[] input() {
                throw new AssertionError("asked for the normed input");
            }

            @Override
            public float[] keysBeforeRope() {
                return before;
            }

            @Override
            public float[] keys() {
                return after;
            }

            @Override
            public float[] values() {
                return values;
            }
        };
    }

    /** Feeds the next tokens as one step; returns the outputs, {@code [layers][count][heads][headDim]} in one. */
    float[] feed(KvCache cache, int count) {
        int first = cache.length();
        int size = count * shape.heads() * shape.headDim();
        float[] all = new float[shape.layers() * size];
        cache.reserve(count);
        for (int layer = 0; layer < shape.layers(); layer++) {
            float[] output = new float[size];
            cache.layer(layer).append(states(layer, first, count));
            cache.layer(layer).attend(OneStep.queries(count, queries(layer, first, count)), output);
            System.arraycopy(output, 0, all, layer * size, size);
        }
        return all;
    }
}
