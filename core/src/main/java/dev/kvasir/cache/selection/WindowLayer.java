package dev.kvasir.cache.selection;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.attention.HeadStores;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.tensor.RotaryBlock;
import dev.kvasir.tensor.RotaryTable;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;

/**
 * A layer of constant size: the first tokens of the sequence and a ring of the newest, in the stores of another method. Every
 * query sees exactly the sinks and its window, whatever steps the tokens come in.
 *
 * <pre>
 *   slots of a head: sinks [sinks] | ring [window], position p at slot sinks + (p - sinks) % window
 * </pre>
 *
 * Keys keep the rotation of their true position and are never rotated again. Positions need no bytes: a slot's follows from the
 * tokens seen. One token can always be rolled back; more only while nothing was overwritten.
 */
public final class WindowLayer implements SingleLayer {
    private static final float[] NOTHING = {};

    private final CacheShape shape;
    private final WindowPlan plan;
    private final HeadStores store;
    private final Optional<RotaryTable> table;
    private final List<KeyReader> keyReaders = new ArrayList<>();
    private int seen;
    /** Most tokens ever seen: how far the ring was written. */
    private int reached;

    // The step at hand, or its block.
    private float[] keys = NOTHING;
    private float[] values = NOTHING;
    private int count;

    private WindowLayer(CacheShape shape, WindowPlan plan, HeadStores store, Optional<RotaryTable> table) {
        this.shape = shape;
        this.plan = plan;
        this.store = store;
        this.table = table;
        Optional<RotaryBlock> rotary = table.map(RotaryBlock::new);
        for (int h = 0; h < shape.kvHeads(); h++) {
            keyReaders.add(new WindowKeys(plan, store.keys(h), shape.headDim(), table, rotary, () -> seen));
        }
    }

    /**
     * Layers of that plan in what {@code heads} stores.
     *
     * @param method whose they are, and {@code stores} what that of the heads is called, for errors
     * @param tables the rotary embedding of each layer; not needed where the plan has no cap
     * @throws InvalidInputException once a layer is made, if the store cannot let go of single tokens
     */
    public static LayerFactory factory(
            String method,
            String stores,
            CacheShape shape,
            HeadFactory heads,
            WindowPlan plan,
            IntFunction<Optional<RotaryTable>> tables) {
        return (layer, pool, kernels) -> {
            HeadStores store = HeadStores.empty(shape, heads, layer, pool, kernels);
            if (!store.isMovable()) {
                throw new InvalidInputException(method + " overwrites the oldest token, but " + stores
                        + " stores some that share a scale or a window; exact, block and qserve can overwrite one");
            }
            return new WindowLayer(shape, plan, store, tables.apply(layer));
        };
    }

    /** The stores behind. */
    public HeadStores store() {
        return store;
    }

    @Override
    public int size() {
        return store.size();
    }

    @Override
    public Slots slots() {
        return Slots.PLACED;
    }

    @Override
    public int position(int kvHead, int slot) {
        return plan.position(slot, seen);
    }

    @Override
    public KeyReader keys(int kvHead) {
        return keyReaders.get(kvHead);
    }

    @Override
    public ValueReader values(int kvHead) {
        return store.values(kvHead);
    }

    /** Blocks end at multiples of the block. */
    @Override
    public int block(int position, int left) {
        return Math.min(left, plan.block() - position % plan.block());
    }

    private int room(int more) {
        return plan.sizeOf(seen + more) - size();
    }

    private boolean overwrites(int more) {
        return seen + more > size() + room(more);
    }

    @Override
    public long wantedBytes(int more) {
        long wanted = 0;
        for (int h = 0; h < shape.kvHeads(); h++) {
            wanted += store.wantedBytes(h, room(more), overwrites(more));
        }
        return wanted;
    }

    @Override
    public void reserve(int more, PagePool.Claim claim) {
        int room = room(more);
        boolean all = overwrites(more);
        for (int h = 0; h < shape.kvHeads(); h++) {
            store.reserve(h, room, all, claim);
        }
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        keys = states.keys();
        values = states.values();
        count = states.count();
    }

    @Override
    public int appendParts() {
        return shape.kvHeads();
    }

    @Override
    public void append(int kvHead, Scratch scratch) {
        int width = shape.kvHeads() * shape.headDim();
        int stored = store.keys(kvHead).size();
        int token = Math.min(count, plan.slots() - stored);
        if (token > 0) {
            store.append(kvHead, keys, values, kvHead * shape.headDim(), width, token, scratch);
        }
        for (; token < count; token++) {
            int row = token * width + kvHead * shape.headDim();
            store.replace(kvHead, plan.slot(seen + token), keys, values, row, scratch);
        }
    }

    @Override
    public void end() {
        seen += count;
        reached = Math.max(reached, seen);
        keys = NOTHING;
        values = NOTHING;
    }

    /** A full ring has one token more than the next query sees: that is the one that can be rolled back. */
    @Override
    public int smallestSize() {
        return reached > plan.slots() ? reached - 1 : 0;
    }

    @Override
    public void truncate(int size) {
        if (reached <= plan.slots()) {
            store.truncate(size);
            reached = size;
        }
        seen = size;
    }

    @Override
    public Footprint footprint() {
        return store.footprint();
    }

    @Override
    public WindowLayer fork() {
        WindowLayer fork = new WindowLayer(shape, plan, store.fork(), table);
        fork.seen = seen;
        fork.reached = reached;
        return fork;
    }

    @Override
    public void write(DataOutput out) throws IOException {
        out.writeInt(reached);
        store.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int found = in.readInt();
        boolean oneBack = found == size + 1L && found > plan.slots();
        if (found != size && !oneBack) {
            throw new CacheFileException("ring written to " + found + " of " + size + " tokens, allowed are " + size
                    + (size >= plan.slots() ? " and one more" : ""));
        }
        store.read(in, plan.sizeOf(found));
        seen = size;
        reached = found;
    }

    @Override
    public void release() {
        store.release();
    }

    /** The stores of one head. */
    public Head head(int kvHead) {
        return store.head(kvHead);
    }
}
