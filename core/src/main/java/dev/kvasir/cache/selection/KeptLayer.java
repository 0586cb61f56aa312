package dev.kvasir.cache.selection;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.HeadStores;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A layer that keeps some of its tokens, each head its own, in the stores of another method. Beside each token is its true
 * position, and its history, a number or more, where the retention asks for it; both count as indices. Keys keep the rotation of their true
 * position.
 *
 * <pre>
 *   head = store of keys | store of values | positions [slots] | history [slots][numbers]
 * </pre>
 *
 * A token that goes is gone. Tokens move as they are stored: nothing is quantized twice.
 */
public final class KeptLayer implements SingleLayer {
    private final CacheShape shape;
    private final HeadStores store;
    private final RetentionFactory decides;
    private final int layer;
    private final Retention retention;
    private final List<KeptHead> heads = new ArrayList<>();
    private int seen;
    /** Tokens seen when one of them last went. */
    private int settled;

    /** Tokens of the step at hand, or of its block. */
    private int count;

    KeptLayer(CacheShape shape, HeadStores store, RetentionFactory decides, int layer, List<HeadTokens> tokens) {
        this.shape = shape;
        this.store = store;
        this.decides = decides;
        this.layer = layer;
        this.retention = decides.retention(layer, tokens, store.isMovable());
        for (int h = 0; h < tokens.size(); h++) {
            heads.add(new KeptHead(store, h, shape.kvHeads(), shape.headDim(), tokens.get(h), retention));
        }
    }

    Retention retention() {
        return retention;
    }

    /** Slots after a step, block by block; or the most on the way. */
    private static int sizeAfter(Retention retention, int stored, int seen, int count, boolean most) {
        int size = stored;
        int largest = 0;
        for (int done = 0; done < count; ) {
            int block = Math.clamp(retention.block(seen + done, count - done), 1, count - done);
            size = retention.sizeAfter(size, seen + done, block);
            largest = Math.max(largest, size);
            done += block;
        }
        return most ? largest : size;
    }

    @Override
    public int position(int kvHead, int slot) {
        return heads.get(kvHead).tokens().positions().number(slot);
    }

    /** Tokens seen, those included that are gone. */
    public int seen() {
        return seen;
    }

    /** The number kept beside the token in a slot of a head, where the retention asks for one. */
    public float history(int kvHead, int slot) {
        return heads.get(kvHead).tokens().history().decimal(slot);
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
    public KeyReader keys(int kvHead) {
        return store.keys(kvHead);
    }

    @Override
    public ValueReader values(int kvHead) {
        return store.values(kvHead);
    }

    @Override
    public int block(int position, int left) {
        return retention.block(position, left);
    }

    @Override
    public void open(TokenStates states, Queries queries) {
        for (KeptHead head : heads) {
            head.tokens().open(states.firstPosition(), states.count());
        }
        retention.open(states, queries);
    }

    @Override
    public boolean probes(int more) {
        return retention.probes(more);
    }

    @Override
    public int[] attending() {
        return retention.attending();
    }

    @Override
    public Optional<WeightObserver> observer() {
        return retention.observer();
    }

    @Override
    public long wantedBytes(int more) {
        long wanted = 0;
        for (KeptHead head : heads) {
            wanted += head.wantedBytes(room(head.size(), more), rewrites(head.size(), more));
        }
        return wanted;
    }

    @Override
    public void reserve(int more, PagePool.Claim claim) {
        for (KeptHead head : heads) {
            int stored = head.size();
            head.reserve(room(stored, more), rewrites(stored, more), claim);
        }
    }

    /** Slots that a step takes beyond those stored, at most. */
    private int room(int stored, int more) {
        return Math.max(0, sizeAfter(retention, stored, seen, more, true) - stored);
    }

    /** Whether stored tokens may move in a step. */
    private boolean rewrites(int stored, int more) {
        return retention.letsStoredGo()
                && (retention.mayLetGo(stored, seen, more)
                        || sizeAfter(retention, stored, seen, more, false) < stored + more);
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        count = states.count();
        float[] keys = states.keys();
        float[] values = states.values();
        for (KeptHead head : heads) {
            head.begin(keys, values);
        }
    }

    @Override
    public int appendParts() {
        return heads.size();
    }

    @Override
    public void append(int kvHead, Scratch scratch) {
        retention.rank(kvHead);
    }

    @Override
    public int completeParts() {
        return heads.size();
    }

    @Override
    public void complete(int kvHead, Scratch scratch) {
        heads.get(kvHead).complete(scratch);
    }

    @Override
    public void end() {
        seen += count;
        for (KeptHead head : heads) {
            if (head.hasLetGo()) {
                settled = seen;
            }
            head.end();
        }
    }

    @Override
    public void done() {
        if (retention.letsStoredGo()) {
            heads.forEach(KeptHead::trim);
        }
    }

    @Override
    public int smallestSize() {
        return retention.changesHistory() ? seen : settled;
    }

    @Override
    public void truncate(int size) {
        if (size == seen) {
            return;
        }
        for (KeptHead head : heads) {
            head.truncate(size);
        }
        seen = size;
    }

    @Override
    public Footprint footprint() {
        long indices = 0;
        for (KeptHead head : heads) {
            indices += head.indexBytes();
        }
        return store.footprint().plus(new Footprint(0, 0, 0, indices, 0));
    }

    @Override
    public KeptLayer fork() {
        return fork(decides);
    }

    /** As {@link #fork()}, decided upon by another. */
    KeptLayer fork(RetentionFactory decider) {
        List<HeadTokens> copies = heads.stream()
                .map(KeptHead::tokens)
                .map(head ->
                        new HeadTokens(head.positions().fork(), head.history().fork()))
                .toList();
        KeptLayer fork = new KeptLayer(shape, store.fork(), decider, layer, copies);
        fork.seen = seen;
        fork.settled = settled;
        return fork;
    }

    @Override
    public void write(DataOutput out) throws IOException {
        out.writeInt(settled);
        for (KeptHead head : heads) {
            head.write(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        settled = in.readInt();
        if (settled < 0 || settled > size) {
            throw new CacheFileException(
                    "tokens seen when one last went are " + settled + ", allowed are 0 to " + size);
        }
        for (KeptHead head : heads) {
            head.read(in, size);
        }
        seen = size;
    }

    @Override
    public void release() {
        store.release();
        heads.forEach(KeptHead::release);
    }
}
