package dev.kvasir.engine;

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
import java.util.Optional;

/** A cache of one step that shows what each layer is given to a watcher. */
final class WatchedCache implements KvCache {
    private final KvCache cache;
    private final List<LayerCache> layers = new ArrayList<>();

    /** Is shown the states and queries of a layer, once they are all known. */
    @FunctionalInterface
    interface Watcher {
        void see(int layer, TokenStates states, Queries queries);
    }

    /** An empty cache, which stays the caller's to close. */
    WatchedCache(KvCache cache, Watcher watcher) {
        this.cache = cache;
        for (int i = 0; i < cache.shape().layers(); i++) {
            layers.add(new WatchedLayer(i, cache.layer(i), watcher));
        }
    }

    private static final class WatchedLayer implements LayerCache {
        private final int index;
        private final LayerCache layer;
        private final Watcher watcher;
        private Optional<TokenStates> appended = Optional.empty();

        WatchedLayer(int index, LayerCache layer, Watcher watcher) {
            this.index = index;
            this.layer = layer;
            this.watcher = watcher;
        }

        @Override
        public void append(TokenStates states) {
            appended = Optional.of(states);
            layer.append(states);
        }

        @Override
        public void attend(Queries queries, float[] output) {
            watcher.see(index, appended.orElseThrow(), queries);
            layer.attend(queries, output);
            appended = Optional.empty();
        }
    }

    @Override
    public CacheShape shape() {
        return cache.shape();
    }

    @Override
    public CacheSpec spec() {
        return cache.spec();
    }

    @Override
    public int length() {
        return cache.length();
    }

    @Override
    public LayerCache layer(int layer) {
        return layers.get(layer);
    }

    @Override
    public void reserve(int tokens) {
        cache.reserve(tokens);
    }

    @Override
    public Footprint footprint() {
        return cache.footprint();
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

    @Override
    public void close() {}
}
