package dev.kvasir.lab.step;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.LayerCache;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * Several caches that are fed the same step, for the first step of a sequence: there the tokens see only each other,
 * exactly, so every cache gives the same output and takes the same states as it would alone. The first one's output goes
 * on. Caches that {@linkplain KvCache#storesFirst store first} cannot take part.
 */
final class FanOutCache implements KvCache {
    private final List<KvCache> caches;
    private final List<LayerCache> layers = new ArrayList<>();

    /** At least one cache, all empty and of one shape. */
    FanOutCache(List<KvCache> caches) {
        if (caches.stream().anyMatch(cache -> cache.length() != 0)) {
            throw new IllegalArgumentException("only empty caches agree about a step's output");
        }
        this.caches = caches;
        for (int i = 0; i < shape().layers(); i++) {
            int layer = i;
            layers.add(new FanOutLayer(
                    caches.stream().map(cache -> cache.layer(layer)).toList()));
        }
    }

    private record FanOutLayer(List<LayerCache> layers) implements LayerCache {
        @Override
        public void append(TokenStates states) {
            layers.forEach(layer -> layer.append(states));
        }

        @Override
        public void attend(Queries queries, float[] output) {
            for (int i = layers.size() - 1; i >= 0; i--) {
                layers.get(i).attend(queries, output);
            }
        }
    }

    @Override
    public CacheShape shape() {
        return caches.getFirst().shape();
    }

    @Override
    public CacheSpec spec() {
        return caches.getFirst().spec();
    }

    @Override
    public int length() {
        return caches.getFirst().length();
    }

    @Override
    public LayerCache layer(int layer) {
        return layers.get(layer);
    }

    @Override
    public void reserve(int tokens) {
        caches.forEach(cache -> cache.reserve(tokens));
    }

    @Override
    public Footprint footprint() {
        return caches.stream().map(KvCache::footprint).reduce(Footprint.ZERO, Footprint::plus);
    }

    @Override
    public KvCache fork() {
        throw new UnsupportedOperationException("lives for one step");
    }

    @Override
    public int rollbackLimit() {
        return 0;
    }

    @Override
    public void rollback(int tokens) {
        throw new UnsupportedOperationException("lives for one step");
    }

    @Override
    public void save(OutputStream out, String modelFingerprint) {
        throw new UnsupportedOperationException("lives for one step");
    }

    /** The caches stay their owners' to close. */
    @Override
    public void close() {}
}
