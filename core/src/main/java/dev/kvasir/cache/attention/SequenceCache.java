package dev.kvasir.cache.attention;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.LayerCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.Reads;
import dev.kvasir.cache.RestorableCache;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.tensor.Workers;
import java.io.DataInput;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The cache of a sequence: its layers, each with what it remembers. */
public final class SequenceCache implements RestorableCache {
    private final CacheSpec spec;
    private final CacheShape shape;
    private final PagePool pool;
    private final Kernels kernels;
    private final Workers workers;
    private final List<LayerGroup> groups;
    private final LayerStore[] stores;
    private final Layer[] layers;
    private final Attention attention;
    private int length;
    private boolean closed;

    /** An empty cache. */
    public SequenceCache(
            CacheSpec spec, CacheShape shape, LayerFactory factory, PagePool pool, Kernels kernels, Workers workers) {
        this(spec, shape, pool, kernels, workers, groups(shape, factory, pool, kernels));
    }

    private SequenceCache(
            CacheSpec spec,
            CacheShape shape,
            PagePool pool,
            Kernels kernels,
            Workers workers,
            List<LayerGroup> groups) {
        this.spec = spec;
        this.shape = shape;
        this.pool = pool;
        this.kernels = kernels;
        this.workers = workers;
        this.groups = groups;
        this.stores = groups.stream().flatMap(group -> group.layers().stream()).toArray(LayerStore[]::new);
        for (int layer = 0; layer < stores.length; layer++) {
            if (shape.window(layer) != CacheShape.ALL && stores[layer].slots() == LayerStore.Slots.UNKNOWN) {
                for (LayerStore store : stores) {
                    store.release();
                }
                throw new InvalidInputException(spec.method() + " keeps tokens in an order of its own and cannot serve"
                        + " layer " + layer + ", which sees a window of " + shape.window(layer) + " tokens only");
            }
        }
        this.layers = new Layer[stores.length];
        this.attention = new Attention(shape, kernels, workers);
        for (int layer = 0; layer < layers.length; layer++) {
            layers[layer] = new Layer(layer);
        }
    }

    private static List<LayerGroup> groups(CacheShape shape, LayerFactory factory, PagePool pool, Kernels kernels) {
        List<LayerGroup> groups = new ArrayList<>();
        int layer = 0;
        while (layer < shape.layers()) {
            LayerGroup group = factory.group(layer, pool, kernels);
            groups.add(group);
            layer += group.layers().size();
        }
        if (layer != shape.layers()) {
            throw new IllegalStateException("groups of " + layer + " layers for a model of " + shape.layers());
        }
        return groups;
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

    /** What one layer remembers. */
    public LayerStore store(int layer) {
        return stores[layer];
    }

    /** The stores of one head, in a layer whose heads remember by themselves. */
    public Head head(int layer, int kvHead) {
        return ((HeadStores) stores[layer]).head(kvHead);
    }

    @Override
    public void reserve(int tokens) {
        checkOpen();
        long wanted = 0;
        for (LayerStore store : stores) {
            wanted += store.wantedBytes(tokens);
        }
        try (PagePool.Claim claim = pool.claim(wanted)) {
            for (LayerStore store : stores) {
                store.reserve(tokens, claim);
            }
        }
    }

    @Override
    public boolean storesFirst(int count) {
        for (LayerStore store : stores) {
            // A step that is cut stores its first block before the next one attends.
            if (store.storesFirst(count) || store.block(length, count) < count) {
                return true;
            }
        }
        return false;
    }

    @Override
    public Footprint footprint() {
        checkOpen();
        Footprint sum = Footprint.ZERO;
        for (LayerStore store : stores) {
            sum = sum.plus(store.footprint());
        }
        return sum;
    }

    @Override
    public List<String> remarks() {
        List<String> remarks = new ArrayList<>();
        int layer = 0;
        for (LayerGroup group : groups) {
            group.remark(layer).ifPresent(remarks::add);
            layer += group.layers().size();
        }
        return remarks;
    }

    @Override
    public Reads reads() {
        Reads sum = Reads.NONE;
        for (LayerStore store : stores) {
            sum = sum.plus(store.reads());
        }
        return sum;
    }

    @Override
    public KvCache fork() {
        checkBetweenSteps();
        List<LayerGroup> copies = groups.stream().map(LayerGroup::fork).toList();
        SequenceCache fork = new SequenceCache(spec, shape, pool, kernels, workers, copies);
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
        for (LayerStore store : stores) {
            limit = Math.min(limit, length - store.smallestSize());
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
        for (LayerStore store : stores) {
            store.truncate(length - tokens);
        }
        length(length - tokens);
    }

    @Override
    public void save(OutputStream out, String modelFingerprint) throws IOException {
        checkBetweenSteps();
        SavedCache.write(out, spec, shape, modelFingerprint, length, data -> {
            for (LayerStore store : stores) {
                store.write(data);
            }
        });
    }

    @Override
    public void restore(DataInput in, int tokens) throws IOException {
        for (LayerStore store : stores) {
            store.read(in, tokens);
        }
        length(tokens);
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            for (LayerStore store : stores) {
                store.release();
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
        private final int index;
        private @Nullable TokenStates pending;
        private int length;

        Layer(int index) {
            this.index = index;
        }

        @Override
        public void append(TokenStates states) {
            checkOpen();
            LayerStore store = stores[index];
            long wanted = store.wantedBytes(states.count());
            if (wanted > 0) {
                try (PagePool.Claim claim = pool.claim(wanted)) {
                    store.reserve(states.count(), claim);
                }
            }
            pending = states;
        }

        @Override
        public void attend(Queries queries, float[] output) {
            take(queries, output, true);
        }

        @Override
        public void store(Queries queries, float[] output) {
            take(queries, output, false);
        }

        private void take(Queries queries, float[] output, boolean outputWanted) {
            checkOpen();
            TokenStates states = pending;
            if (states == null || states.count() != queries.count()) {
                throw new IllegalStateException("attend without an append of the same tokens");
            }
            pending = null;
            attention.wantOutput(outputWanted);
            attention.run(stores[index], shape.window(index), states, queries, output);
            length += states.count();
            if (index == stores.length - 1) {
                SequenceCache.this.length = length;
            }
        }
    }
}
