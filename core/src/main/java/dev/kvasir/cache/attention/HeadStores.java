package dev.kvasir.cache.attention;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.TokenStore;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.cache.transform.Transform;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A layer whose heads remember by themselves: a pair of stores for every KV head, each perhaps in a basis of its own. */
public final class HeadStores implements SingleLayer {
    private final int headDim;
    private final List<Side> keys;
    private final List<Side> values;
    private final List<KeyReader> keyReaders = new ArrayList<>();
    private final List<ValueReader> valueReaders = new ArrayList<>();
    private final List<Head> heads;

    // The step at hand.
    private float[] newKeys = {};
    private float[] newValues = {};
    private int count;

    /** One side of a head and the basis it is stored in. */
    private record Side(TokenStore store, Transform transform) {}

    private HeadStores(int headDim, List<Head> heads, List<Transform> keyTransforms, List<Transform> valueTransforms) {
        this.headDim = headDim;
        this.heads = heads;
        keys = new ArrayList<>();
        values = new ArrayList<>();
        for (int i = 0; i < heads.size(); i++) {
            Head head = heads.get(i);
            Transform key = keyTransforms.get(i);
            Transform value = valueTransforms.get(i);
            keys.add(new Side(head.keys(), key));
            values.add(new Side(head.values(), value));
            keyReaders.add(key.isNone() ? head.keys() : new TurnedKeys(head.keys(), key));
            valueReaders.add(value.isNone() ? head.values() : new TurnedValues(head.values(), value));
        }
    }

    /** Layers of such heads. */
    public static LayerFactory factory(CacheShape shape, HeadFactory heads) {
        return (layer, pool, kernels) -> empty(shape, heads, layer, pool, kernels);
    }

    /** An empty layer of such heads. */
    public static HeadStores empty(CacheShape shape, HeadFactory heads, int layer, PagePool pool, Kernels kernels) {
        List<Head> stores = new ArrayList<>();
        List<Transform> keys = new ArrayList<>();
        List<Transform> values = new ArrayList<>();
        for (int kvHead = 0; kvHead < shape.kvHeads(); kvHead++) {
            stores.add(heads.head(layer, kvHead, pool, kernels));
            keys.add(heads.keyTransform(layer, kvHead));
            values.add(heads.valueTransform(layer, kvHead));
        }
        return new HeadStores(shape.headDim(), stores, keys, values);
    }

    /** The stores of one head. */
    public Head head(int kvHead) {
        return heads.get(kvHead);
    }

    @Override
    public int size() {
        return heads.getFirst().keys().size();
    }

    @Override
    public KeyReader keys(int kvHead) {
        return keyReaders.get(kvHead);
    }

    @Override
    public ValueReader values(int kvHead) {
        return valueReaders.get(kvHead);
    }

    @Override
    public long wantedBytes(int tokens) {
        long wanted = 0;
        for (Head head : heads) {
            wanted += head.keys().wantedBytes(tokens) + head.values().wantedBytes(tokens);
        }
        return wanted;
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        for (Head head : heads) {
            head.keys().reserve(tokens, claim);
            head.values().reserve(tokens, claim);
        }
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        newKeys = states.keys();
        newValues = states.values();
        count = states.count();
    }

    @Override
    public int appendParts() {
        return 2 * heads.size();
    }

    /** Appends the step's keys (even parts) or values (odd parts) of one head to their store. */
    @Override
    public void append(int part, Scratch scratch) {
        int kvHead = part / 2;
        Side side = (part % 2 == 0 ? keys : values).get(kvHead);
        float[] rows = part % 2 == 0 ? newKeys : newValues;
        int width = heads.size() * headDim;
        int offset = kvHead * headDim;
        if (side.transform().isNone()) {
            side.store().append(rows, offset, width, count, scratch);
            return;
        }
        float[] turned = scratch.lanes(count * headDim);
        for (int t = 0; t < count; t++) {
            System.arraycopy(rows, offset + t * width, turned, t * headDim, headDim);
        }
        side.transform().apply(turned, 0, count);
        side.store().append(turned, 0, headDim, count, scratch);
    }

    @Override
    public int smallestSize() {
        int smallest = 0;
        for (Head head : heads) {
            smallest = Math.max(smallest, head.keys().smallestSize());
            smallest = Math.max(smallest, head.values().smallestSize());
        }
        return smallest;
    }

    @Override
    public void truncate(int size) {
        for (Head head : heads) {
            head.keys().truncate(size);
            head.values().truncate(size);
        }
    }

    @Override
    public Footprint footprint() {
        Footprint sum = Footprint.ZERO;
        for (Head head : heads) {
            sum = sum.plus(head.keys().footprint()).plus(head.values().footprint());
        }
        return sum;
    }

    @Override
    public HeadStores fork() {
        return new HeadStores(
                headDim,
                heads.stream().map(Head::fork).toList(),
                keys.stream().map(Side::transform).toList(),
                values.stream().map(Side::transform).toList());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        for (Head head : heads) {
            head.keys().write(out);
            head.values().write(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        for (Head head : heads) {
            head.keys().read(in, size);
            head.values().read(in, size);
        }
    }

    @Override
    public void release() {
        heads.forEach(Head::release);
    }

    /** Keys in another basis, to which queries are brought. */
    private record TurnedKeys(KeyReader inner, Transform transform) implements KeyReader {
        @Override
        public int size() {
            return inner.size();
        }

        @Override
        public int queryWidth(int headDim) {
            return inner.queryWidth(headDim);
        }

        @Override
        public void prepare(
                float[] queries, int offset, int rows, int headDim, float[] out, int outOffset, Scratch scratch) {
            float[] turned = scratch.tile(rows * headDim);
            System.arraycopy(queries, offset, turned, 0, rows * headDim);
            transform.applyToQueries(turned, 0, rows);
            inner.prepare(turned, 0, rows, headDim, out, outOffset, scratch);
        }

        @Override
        public void scores(
                float[] queries,
                int queryOffset,
                int rows,
                int from,
                int to,
                float[] out,
                int outOffset,
                int outStride,
                Scratch scratch) {
            inner.scores(queries, queryOffset, rows, from, to, out, outOffset, outStride, scratch);
        }
    }
}
