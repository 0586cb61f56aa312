package dev.kvasir.cache.attention;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.RowStore;
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
        int largest = 0;
        for (Head head : heads) {
            largest = Math.max(largest, head.keys().size());
        }
        return largest;
    }

    @Override
    public Slots slots() {
        return Slots.IN_ORDER;
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
        append(side, rows, kvHead * headDim, heads.size() * headDim, count, scratch);
    }

    private void append(Side side, float[] rows, int offset, int stride, int tokens, Scratch scratch) {
        if (side.transform().isNone()) {
            side.store().append(rows, offset, stride, tokens, scratch);
            return;
        }
        float[] turned = turned(side, rows, offset, stride, tokens, scratch);
        side.store().append(turned, 0, headDim, tokens, scratch);
    }

    /** Rows in the basis of a side. */
    private float[] turned(Side side, float[] rows, int offset, int stride, int tokens, Scratch scratch) {
        float[] turned = scratch.lanes(tokens * headDim);
        for (int t = 0; t < tokens; t++) {
            System.arraycopy(rows, offset + t * stride, turned, t * headDim, headDim);
        }
        side.transform().apply(turned, 0, tokens);
        return turned;
    }

    /** Stores {@code tokens} more tokens of one head, whose keys and values begin at {@code offset} and are {@code stride} numbers apart. */
    public void append(
            int kvHead, float[] keyRows, float[] valueRows, int offset, int stride, int tokens, Scratch scratch) {
        append(keys.get(kvHead), keyRows, offset, stride, tokens, scratch);
        append(values.get(kvHead), valueRows, offset, stride, tokens, scratch);
    }

    /** The basis that keys of a head are stored in. */
    public Transform keyTransform(int kvHead) {
        return keys.get(kvHead).transform();
    }

    /** Whether tokens of its heads can be moved and replaced one by one. */
    public boolean isMovable() {
        return heads.stream().allMatch(head -> isMovable(head.keys()) && isMovable(head.values()));
    }

    private static boolean isMovable(TokenStore store) {
        return store instanceof RowStore rows && rows.isMovable();
    }

    /** Copies the token of one slot of a head over that of another, as it is stored. */
    public void move(int kvHead, int from, int to) {
        ((RowStore) keys.get(kvHead).store()).move(from, to);
        ((RowStore) values.get(kvHead).store()).move(from, to);
    }

    /** Replaces the token of a slot of a head by one whose key and value begin at {@code offset}. */
    public void replace(int kvHead, int slot, float[] keyRows, float[] valueRows, int offset, Scratch scratch) {
        replace(keys.get(kvHead), slot, keyRows, offset, scratch);
        replace(values.get(kvHead), slot, valueRows, offset, scratch);
    }

    private void replace(Side side, int slot, float[] rows, int offset, Scratch scratch) {
        if (side.transform().isNone()) {
            ((RowStore) side.store()).replace(slot, rows, offset, scratch);
        } else {
            float[] turned = turned(side, rows, offset, headDim, 1, scratch);
            ((RowStore) side.store()).replace(slot, turned, 0, scratch);
        }
    }

    /** Keeps the tokens of one head that are in these slots, as {@link RowStore#keep}. */
    public void keep(int kvHead, int[] kept, int count) {
        ((RowStore) keys.get(kvHead).store()).keep(kept, count);
        ((RowStore) values.get(kvHead).store()).keep(kept, count);
    }

    /** Forgets the tokens of one head from slot {@code size} on. */
    public void truncate(int kvHead, int size) {
        keys.get(kvHead).store().truncate(size);
        values.get(kvHead).store().truncate(size);
    }

    /** As {@link #truncate(int, int)}, but keeps the pages for the tokens that follow; only where tokens are movable. */
    public void shorten(int kvHead, int size) {
        ((RowStore) keys.get(kvHead).store()).shorten(size);
        ((RowStore) values.get(kvHead).store()).shorten(size);
    }

    /** Gives back the pages of a head that hold no token; only where tokens are movable. */
    public void trim(int kvHead) {
        ((RowStore) keys.get(kvHead).store()).trim();
        ((RowStore) values.get(kvHead).store()).trim();
    }

    /** Bytes that {@link #reserve(int, int, boolean, PagePool.Claim)} would take. */
    public long wantedBytes(int kvHead, int tokens, boolean all) {
        return wantedBytes(keys.get(kvHead).store(), tokens, all)
                + wantedBytes(values.get(kvHead).store(), tokens, all);
    }

    private static long wantedBytes(TokenStore store, int tokens, boolean all) {
        return all ? ((RowStore) store).wantedBytesForAll(tokens) : store.wantedBytes(tokens);
    }

    /** Makes room for {@code tokens} more tokens of one head; with {@code all}, those held become movable too. */
    public void reserve(int kvHead, int tokens, boolean all, PagePool.Claim claim) {
        reserve(keys.get(kvHead).store(), tokens, all, claim);
        reserve(values.get(kvHead).store(), tokens, all, claim);
    }

    private static void reserve(TokenStore store, int tokens, boolean all, PagePool.Claim claim) {
        if (all) {
            ((RowStore) store).reserveAll(tokens, claim);
        } else {
            store.reserve(tokens, claim);
        }
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
