package dev.kvasir.cache.method.minicache;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;

/** Made-up states whose layers are alike, as deep layers are: a vector of all layers, one of each, a length of each. */
final class AlikeLayers {
    private final CacheShape shape;
    private final long seed;
    /** How much is all layers': 0 nothing, 1 everything. */
    private final double alike;

    private final Map<Key, float[]> made = new HashMap<>();

    private record Key(int layer, int side, int token) {}

    AlikeLayers(CacheShape shape, long seed, double alike) {
        this.shape = shape;
        this.seed = seed;
        this.alike = alike;
    }

    SequenceCache create(String spec, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), CacheModel.of(shape), pool, Steps.sequential());
    }

    int width() {
        return shape.kvHeads() * shape.headDim();
    }

    /** Keys (side 0) or values (side 1) of a layer, {@code [count][kvHeads][headDim]}. */
    float[] rows(int layer, int side, int first, int count) {
        int width = width();
        float[] rows = new float[count * width];
        for (int t = 0; t < count; t++) {
            Key key = new Key(layer, side, first + t);
            System.arraycopy(made.computeIfAbsent(key, this::row), 0, rows, t * width, width);
        }
        return rows;
    }

    private float[] row(Key key) {
        int width = width();
        int side = key.side();
        float[] row = new float[width];
        Random all = new Random(seed * 31 + side * 7919L + key.token() * 15_485_863L);
        Random own = new Random(seed * 37 + side * 7919L + key.layer() * 104_729L + key.token() * 32_452_843L);
        // Some tokens agree less than others.
        double share = alike == 1 ? 1 : alike * (1 - 0.6 * Math.pow(all.nextDouble(), 8));
        double length = 0.5 + 1.5 * own.nextDouble();
        for (int i = 0; i < width; i++) {
            double offset = side == 0 && i % 29 == 3 ? 4 : 0;
            double common = all.nextGaussian() + offset;
            row[i] = (float) (length * (share * common + (1 - share) * own.nextGaussian()));
        }
        return row;
    }

    float[] queries(int layer, int first, int count) {
        float[] queries = new float[count * shape.heads() * shape.headDim()];
        for (int t = 0; t < count; t++) {
            Random random = new Random(seed * 41 + layer * 104_729L + (first + t) * 49_979_687L);
            int width = queries.length / count;
            for (int i = 0; i < width; i++) {
                queries[t * width + i] = (float) random.nextGaussian();
            }
        }
        return queries;
    }

    /** Feeds the next {@code count} tokens as one step; returns the outputs, {@code [layers][count][heads][headDim]} in one. */
    float[] feed(KvCache cache, int count) {
        cache.reserve(count);
        int first = cache.length();
        int size = count * shape.heads() * shape.headDim();
        float[] all = new float[shape.layers() * size];
        for (int layer = 0; layer < shape.layers(); layer++) {
            float[] output = new float[size];
            cache.layer(layer)
                    .append(OneStep.states(first, count, rows(layer, 0, first, count), rows(layer, 1, first, count)));
            cache.layer(layer).attend(OneStep.queries(count, queries(layer, first, count)), output);
            System.arraycopy(output, 0, all, layer * size, size);
        }
        return all;
    }

    /** The part of {@link #feed}'s outputs that is a layer's. */
    float[] ofLayer(float[] outputs, int layer) {
        int size = outputs.length / shape.layers();
        return Arrays.copyOfRange(outputs, layer * size, (layer + 1) * size);
    }

    static PairLayer layer(SequenceCache cache, int layer) {
        return (PairLayer) cache.store(layer);
    }
}
