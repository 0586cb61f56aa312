package dev.kvasir.cache.attention;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.LayerCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.RestorableCache;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.TokenStore;
import dev.kvasir.tensor.Workers;
import java.io.DataInput;
import java.io.IOException;
import java.io.OutputStream;
import org.jspecify.annotations.Nullable;

/** The cache of a sequence whose layers and heads each remember by themselves: a pair of stores for every KV head. */
public final class SequenceCache implements RestorableCache {
    private final CacheSpec spec;
    private final CacheShape shape;
    private final HeadFactory factory;
    private final PagePool pool;
    private final Kernels kernels;
    private final Workers workers;
    private final Head[][] heads;
    private final Layer[] layers;
    private final Attention attention;
    private int length;
    private boolean closed;

    /** An empty cache. */
    public SequenceCache(
            CacheSpec spec, CacheShape shape, HeadFactory factory, PagePool pool, Kernels kernels, Workers workers) {
        this(spec, shape, factory, pool, kernels, workers, new Head[shape.layers()][shape.kvHeads()]);
        for (int layer = 0; layer < shape.layers(); layer++) {
            for (int kvHead = 0; kvHead < shape.kvHeads(); kvHead++) {
                heads[layer][kvHead] = factory.head(layer, kvHead, pool, kernels);
            }
        }
    }

    private SequenceCache(
            CacheSpec spec,
            CacheShape shape,
            HeadFactory factory,
            PagePool pool,
            Kernels kernels,
            Workers workers,
            Head[][] heads) {
        this.spec = spec;
        this.shape = shape;
        this.factory = factory;
        this.pool = pool;
        this.kernels = kernels;
        this.workers = workers;
        this.heads = heads;
        this.layers = new Layer[shape.layers()];
        this.attention = new Attention(shape, kernels, workers, factory.keyTransform(), factory.valueTransform());
        for (int layer = 0; layer < layers.length; layer++) {
            layers[layer] = new Layer(heads[layer]);
        }
    }

    @Override
    public CacheShape shape() {
        return shape;
    }

    @Override
    public CacheSpec spec() {
        return spec;
    }

    @Override
    public int length() {
        return length;
    }

    @Override
    public LayerCache layer(int layer) {
        return layers[layer];
    }

    /** The stores of one head. */
    public Head head(int layer, int kvHead) {
        return heads[layer][kvHead];
    }

    @Override
    public void reserve(int tokens) {
        checkOpen();
        long wanted = 0;
        for (Head[] layer : heads) {
            wanted += wantedBytes(layer, tokens);
        }
        try (PagePool.Claim claim = pool.claim(wanted)) {
            for (Head[] layer : heads) {
                reserve(layer, tokens, claim);
            }
        }
    }

    private static long wantedBytes(Head[] layer, int tokens) {
        long wanted = 0;
        for (Head head : layer) {
            wanted += head.keys().wantedBytes(tokens) + head.values().wantedBytes(tokens);
        }
        return wanted;
    }

    private static void reserve(Head[] layer, int tokens, PagePool.Claim claim) {
        for (Head head : layer) {
            head.keys().reserve(tokens, claim);
            head.values().reserve(tokens, claim);
        }
    }

    @Override
    public Footprint footprint() {
        checkOpen();
        Footprint sum = Footprint.ZERO;
        for (Head[] layer : heads) {
            for (Head head : layer) {
                sum = sum.plus(head.keys().footprint()).plus(head.values().footprint());
            }
        }
        return sum;
    }

    @Override
    public KvCache fork() {
        checkBetweenSteps();
        Head[][] copies = new Head[shape.layers()][shape.kvHeads()];
        for (int layer = 0; layer < copies.length; layer++) {
            for (int kvHead = 0; kvHead < copies[layer].length; kvHead++) {
                copies[layer][kvHead] = heads[layer][kvHead].fork();
            }
        }
        SequenceCache fork = new SequenceCache(spec, shape, factory, pool, kernels, workers, copies);
        fork.length(length);
        return fork;
    }

    private void length(int tokens) {
        length = tokens;
        for (Layer layer : layers) {
            layer.length = tokens;
        }
    }

    @Override
    public int rollbackLimit() {
        checkBetweenSteps();
        int limit = length;
        for (Head[] layer : heads) {
            for (Head head : layer) {
                limit = Math.min(limit, length - head.keys().smallestSize());
                limit = Math.min(limit, length - head.values().smallestSize());
            }
        }
        return limit;
    }

    @Override
    public void rollback(int tokens) {
        int limit = rollbackLimit();
        if (tokens < 0 || tokens > limit) {
            throw new InvalidInputException("rollback of " + tokens + " tokens: " + spec.method() + " at length "
                    + length + " can take back 0 to " + limit);
        }
        for (Head[] layer : heads) {
            for (Head head : layer) {
                head.keys().truncate(length - tokens);
                head.values().truncate(length - tokens);
            }
        }
        length(length - tokens);
    }

    @Override
    public void save(OutputStream out, String modelFingerprint) throws IOException {
        checkBetweenSteps();
        SavedCache.write(out, spec, shape, modelFingerprint, length, data -> {
            for (Head[] layer : heads) {
                for (Head head : layer) {
                    head.keys().write(data);
                    head.values().write(data);
                }
            }
        });
    }

    @Override
    public void restore(DataInput in, int tokens) throws IOException {
        for (Head[] layer : heads) {
            for (Head head : layer) {
                for (TokenStore store : new TokenStore[] {head.keys(), head.values()}) {
                    store.read(in, tokens);
                }
            }
        }
        length(tokens);
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            for (Head[] layer : heads) {
                for (Head head : layer) {
                    head.release();
                }
            }
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("cache is closed");
        }
    }

    private void checkBetweenSteps() {
        checkOpen();
        for (Layer layer : layers) {
            if (layer.length != length) {
                throw new IllegalStateException("a step is under way");
            }
        }
    }

    /** One layer's end of a step. */
    private final class Layer implements LayerCache {
        private final Head[] own;
        private @Nullable TokenStates pending;
        private int length;

        Layer(Head[] own) {
            this.own = own;
        }

        @Override
        public void append(TokenStates states) {
            checkOpen();
            long wanted = wantedBytes(own, states.count());
            if (wanted > 0) {
                try (PagePool.Claim claim = pool.claim(wanted)) {
                    SequenceCache.reserve(own, states.count(), claim);
                }
            }
            pending = states;
        }

        @Override
        public void attend(Queries queries, float[] output) {
            checkOpen();
            TokenStates states = pending;
            if (states == null || states.count() != queries.count()) {
                throw new IllegalStateException("attend without an append of the same tokens");
            }
            pending = null;
            attention.run(own, states, queries, output);
            length += states.count();
            if (this == layers[layers.length - 1]) {
                SequenceCache.this.length = length;
            }
        }
    }
}
