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
import dev.kvasir.cache.attention.LayerGroup;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.TokenNumbers;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.IntUnaryOperator;
import java.util.function.Supplier;

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
    private static final float[] NOTHING = {};
    /** Numbers of gathered rows kept between steps. */
    private static final int KEPT_ROWS = 1 << 14;

    private final CacheShape shape;
    private final HeadStores store;
    private final RetentionFactory decides;
    private final int layer;
    private final List<HeadTokens> tokens;
    private final Retention retention;
    /** Numbers of a token's history. */
    private final int numbers;

    private final int[][] staying;
    private final int[] stayingCount;
    private final int[] candidates;
    /** Rows of a head that stay, in one run: {@code [kvHeads][kept * headDim]}. */
    private final float[][] gatheredKeys;

    private final float[][] gatheredValues;
    private int seen;
    /** Tokens seen when one of them last went. */
    private int settled;

    // The step at hand, or its block.
    private float[] keys = {};
    private float[] values = {};
    private int count;

    private KeptLayer(
            CacheShape shape, HeadStores store, RetentionFactory decides, int layer, List<HeadTokens> tokens) {
        this.shape = shape;
        this.store = store;
        this.decides = decides;
        this.layer = layer;
        this.tokens = tokens;
        this.retention = decides.retention(layer, tokens, store.isMovable());
        this.numbers = retention.historyNumbers();
        this.staying = new int[tokens.size()][0];
        this.stayingCount = new int[tokens.size()];
        this.candidates = new int[tokens.size()];
        this.gatheredKeys = new float[tokens.size()][0];
        this.gatheredValues = new float[tokens.size()][0];
    }

    /**
     * Layers that keep what {@code decides} says in what {@code heads} stores.
     *
     * @param method whose they are, and {@code stores} what that of the heads is called, for errors
     * @throws InvalidInputException once a layer is made, if tokens must go that the store cannot let go of
     */
    public static LayerFactory factory(
            String method, String stores, CacheShape shape, HeadFactory heads, RetentionFactory decides) {
        return (layer, pool, kernels) -> make(method, stores, shape, heads, decides, layer, pool, kernels);
    }

    /**
     * As {@link #factory}, for layers of which one may look at what another that came before it in the same step found: {@code
     * decides} is asked for once for each sequence.
     */
    public static LayerFactory together(
            String method, String stores, CacheShape shape, HeadFactory heads, Supplier<RetentionFactory> decides) {
        return (first, pool, kernels) -> {
            RetentionFactory ofSequence = decides.get();
            List<KeptLayer> layers = new ArrayList<>();
            for (int layer = first; layer < shape.layers(); layer++) {
                layers.add(make(method, stores, shape, heads, ofSequence, layer, pool, kernels));
            }
            return new Together(layers, decides);
        };
    }

    /** The layers of a sequence that look at each other. */
    private record Together(List<KeptLayer> layers, Supplier<RetentionFactory> decides) implements LayerGroup {
        @Override
        public LayerGroup fork() {
            RetentionFactory ofSequence = decides.get();
            return new Together(
                    layers.stream().map(layer -> layer.fork(ofSequence)).toList(), decides);
        }
    }

    private static KeptLayer make(
            String method,
            String stores,
            CacheShape shape,
            HeadFactory heads,
            RetentionFactory decides,
            int layer,
            PagePool pool,
            Kernels kernels) {
        HeadStores store = HeadStores.empty(shape, heads, layer, pool, kernels);
        List<HeadTokens> tokens = new ArrayList<>();
        for (int h = 0; h < shape.kvHeads(); h++) {
            tokens.add(new HeadTokens(new TokenNumbers(pool), new TokenNumbers(pool)));
        }
        KeptLayer made = new KeptLayer(shape, store, decides, layer, tokens);
        if (made.retention.letsStoredGo() && !store.isMovable()) {
            throw new InvalidInputException(method + " lets single tokens go, but " + stores
                    + " stores some that share a scale or a window; exact and block can let them go");
        }
        if (made.retention.headsDiffer() && !store.isMovable()) {
            throw new InvalidInputException(method + " has heads that keep different numbers of tokens, but " + stores
                    + " must know beforehand how many come, for its window; exact and block need not");
        }
        return made;
    }

    /**
     * Bytes by the formula of such layers.
     *
     * @param slots of each head of a layer
     * @param history whether a number is kept beside each token
     * @param stores bytes of the stores behind, of a shape of one layer and a number of tokens
     */
    public static Footprint estimate(
            CacheShape shape,
            IntUnaryOperator slots,
            boolean history,
            BiFunction<CacheShape, Integer, Footprint> stores) {
        CacheShape one = new CacheShape(1, shape.heads(), shape.kvHeads(), shape.headDim(), shape.hiddenSize());
        Footprint sum = Footprint.ZERO;
        for (int layer = 0; layer < shape.layers(); layer++) {
            int size = slots.applyAsInt(layer);
            long indices = indexBytes(shape.kvHeads(), size, history);
            sum = sum.plus(stores.apply(one, size)).plus(new Footprint(0, 0, 0, indices, 0));
        }
        return sum;
    }

    /** Bytes of the positions, and of the history if there is one, of {@code heads} heads of {@code slots} tokens. */
    public static long indexBytes(int heads, int slots, boolean history) {
        return indexBytes(heads, slots, history ? 1 : 0);
    }

    /** The same with a history of {@code numbers} numbers a token. */
    public static long indexBytes(int heads, int slots, int numbers) {
        return (long) heads * (TokenNumbers.bytes(slots) + TokenNumbers.bytes(slots * numbers));
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

    /** The position of the token in a slot of a head. */
    public int position(int kvHead, int slot) {
        return tokens.get(kvHead).positions().number(slot);
    }

    /** Tokens seen, those included that are gone. */
    public int seen() {
        return seen;
    }

    /** The number kept beside the token in a slot of a head, where the retention asks for one. */
    public float history(int kvHead, int slot) {
        return tokens.get(kvHead).history().decimal(slot);
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
        for (HeadTokens head : tokens) {
            head.open(states.firstPosition(), states.count());
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
        for (int h = 0; h < tokens.size(); h++) {
            int stored = tokens.get(h).positions().size();
            int room = room(stored, more);
            boolean all = rewrites(stored, more);
            wanted += store.wantedBytes(h, room, all);
            wanted += tokens.get(h).positions().wantedBytes(room, all);
            wanted += tokens.get(h).history().wantedBytes(numbers * room, true);
        }
        return wanted;
    }

    @Override
    public void reserve(int more, PagePool.Claim claim) {
        for (int h = 0; h < tokens.size(); h++) {
            int stored = tokens.get(h).positions().size();
            int room = room(stored, more);
            boolean all = rewrites(stored, more);
            store.reserve(h, room, all, claim);
            tokens.get(h).positions().reserve(room, all, claim);
            tokens.get(h).history().reserve(numbers * room, true, claim);
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
        keys = states.keys();
        values = states.values();
        count = states.count();
        for (int h = 0; h < staying.length; h++) {
            int all = tokens.get(h).all();
            candidates[h] = all;
            if (staying[h].length < all) {
                staying[h] = new int[all + all / 4];
            }
        }
    }

    @Override
    public int appendParts() {
        return tokens.size();
    }

    @Override
    public void append(int kvHead, Scratch scratch) {
        retention.rank(kvHead);
    }

    @Override
    public int completeParts() {
        return tokens.size();
    }

    @Override
    public void complete(int kvHead, Scratch scratch) {
        HeadTokens head = tokens.get(kvHead);
        int[] kept = staying[kvHead];
        int stored = head.stored();
        stayingCount[kvHead] = retention.choose(kvHead, kept);
        int firstOwn = 0;
        while (firstOwn < stayingCount[kvHead] && kept[firstOwn] < stored) {
            firstOwn++;
        }
        int next = firstOwn;
        if (firstOwn < stored) {
            if (retention.keepsOrder()) {
                keep(kvHead, kept, firstOwn);
            } else {
                next = fill(kvHead, kept, firstOwn, stayingCount[kvHead], stored, scratch);
                shorten(kvHead, Math.min(stored, stayingCount[kvHead]));
            }
        }
        appendOwn(kvHead, kept, next, stayingCount[kvHead], stored, scratch);
    }

    /** Closes the gaps between the stored tokens that stay. */
    private void keep(int kvHead, int[] kept, int storedCount) {
        HeadTokens head = tokens.get(kvHead);
        store.keep(kvHead, kept, storedCount);
        for (int slot = 0; slot < storedCount; slot++) {
            if (kept[slot] != slot) {
                moveNumbers(head, kept[slot], slot);
            }
        }
        head.positions().shorten(storedCount);
        head.history().shorten(numbers * storedCount);
    }

    /**
     * Gives the slots of the stored tokens that go to the step's own, and those left over to the last stored ones. Returns where
     * the tokens not yet placed begin.
     */
    private int fill(int kvHead, int[] kept, int storedCount, int keptCount, int stored, Scratch scratch) {
        int next = storedCount;
        int last = storedCount - 1;
        int at = 0;
        for (int slot = 0; slot < Math.min(stored, keptCount); slot++) {
            if (at <= last && kept[at] == slot) {
                at++;
            } else if (next < keptCount) {
                place(kvHead, slot, kept[next++] - stored, scratch);
            } else {
                move(kvHead, kept[last--], slot);
            }
        }
        return next;
    }

    private void move(int kvHead, int from, int to) {
        store.move(kvHead, from, to);
        moveNumbers(tokens.get(kvHead), from, to);
    }

    private void moveNumbers(HeadTokens head, int from, int to) {
        head.positions().set(to, head.positions().number(from));
        for (int i = 0; i < numbers; i++) {
            head.history().set(numbers * to + i, head.history().number(numbers * from + i));
        }
    }

    private void shorten(int kvHead, int size) {
        HeadTokens head = tokens.get(kvHead);
        store.shorten(kvHead, size);
        head.positions().shorten(size);
        head.history().shorten(numbers * size);
    }

    private void truncate(int kvHead, int size) {
        HeadTokens head = tokens.get(kvHead);
        store.truncate(kvHead, size);
        head.positions().truncate(size);
        head.history().truncate(numbers * size);
    }

    private void place(int kvHead, int slot, int token, Scratch scratch) {
        HeadTokens head = tokens.get(kvHead);
        store.replace(kvHead, slot, keys, values, rowOffset(kvHead, token), scratch);
        head.positions().set(slot, seen + token);
        for (int i = 0; i < numbers; i++) {
            head.history().set(numbers * slot + i, retention.historyBits(kvHead, token, i));
        }
    }

    /** Appends the step's own tokens that stay, at once: a store may have made room for just that. */
    private void appendOwn(int kvHead, int[] kept, int from, int to, int stored, Scratch scratch) {
        if (from == to) {
            return;
        }
        HeadTokens head = tokens.get(kvHead);
        int headDim = shape.headDim();
        int tokensKept = to - from;
        if (kept[to - 1] - kept[from] == tokensKept - 1) {
            int first = rowOffset(kvHead, kept[from] - stored);
            store.append(kvHead, keys, values, first, shape.kvHeads() * headDim, tokensKept, scratch);
        } else {
            float[] keyRows = Scratch.grown(gatheredKeys[kvHead], tokensKept * headDim);
            float[] valueRows = Scratch.grown(gatheredValues[kvHead], tokensKept * headDim);
            for (int i = 0; i < tokensKept; i++) {
                int row = rowOffset(kvHead, kept[from + i] - stored);
                System.arraycopy(keys, row, keyRows, i * headDim, headDim);
                System.arraycopy(values, row, valueRows, i * headDim, headDim);
            }
            gatheredKeys[kvHead] = keyRows;
            gatheredValues[kvHead] = valueRows;
            store.append(kvHead, keyRows, valueRows, 0, headDim, tokensKept, scratch);
        }
        for (int i = from; i < to; i++) {
            int token = kept[i] - stored;
            head.positions().append(seen + token);
            for (int n = 0; n < numbers; n++) {
                head.history().append(retention.historyBits(kvHead, token, n));
            }
        }
    }

    private int rowOffset(int kvHead, int token) {
        return (token * shape.kvHeads() + kvHead) * shape.headDim();
    }

    @Override
    public void end() {
        seen += count;
        for (int h = 0; h < tokens.size(); h++) {
            if (stayingCount[h] < candidates[h]) {
                settled = seen;
            }
        }
        keys = NOTHING;
        values = NOTHING;
        for (int h = 0; h < gatheredKeys.length; h++) {
            // A long prompt's are not kept.
            if (gatheredKeys[h].length > KEPT_ROWS) {
                gatheredKeys[h] = NOTHING;
                gatheredValues[h] = NOTHING;
            }
        }
    }

    @Override
    public void done() {
        if (!retention.letsStoredGo()) {
            return;
        }
        for (int h = 0; h < tokens.size(); h++) {
            store.trim(h);
            tokens.get(h).positions().trim();
            tokens.get(h).history().trim();
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
        for (int h = 0; h < tokens.size(); h++) {
            HeadTokens head = tokens.get(h);
            int slot = head.positions().size();
            while (slot > 0 && head.positions().number(slot - 1) >= size) {
                slot--;
            }
            truncate(h, slot);
        }
        seen = size;
    }

    @Override
    public Footprint footprint() {
        long numbers = 0;
        for (HeadTokens head : tokens) {
            numbers += head.positions().bytes() + head.history().bytes();
        }
        return store.footprint().plus(new Footprint(0, 0, 0, numbers, 0));
    }

    @Override
    public KeptLayer fork() {
        return fork(decides);
    }

    private KeptLayer fork(RetentionFactory decider) {
        List<HeadTokens> copies = tokens.stream()
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
        for (int h = 0; h < tokens.size(); h++) {
            HeadTokens head = tokens.get(h);
            out.writeInt(head.positions().size());
            head.positions().write(out);
            head.history().write(out);
            Head stores = store.head(h);
            stores.keys().write(out);
            stores.values().write(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        settled = in.readInt();
        if (settled < 0 || settled > size) {
            throw new CacheFileException(
                    "tokens seen when one last went are " + settled + ", allowed are 0 to " + size);
        }
        for (int h = 0; h < tokens.size(); h++) {
            HeadTokens head = tokens.get(h);
            int stored = in.readInt();
            if (stored < 0 || stored > size) {
                throw new CacheFileException("head " + h + " holds " + stored + " tokens, allowed are 0 to " + size);
            }
            head.positions().read(in, stored);
            checkPositions(head, size);
            head.history().read(in, Math.multiplyExact(numbers, stored));
            checkHistory(head);
            Head stores = store.head(h);
            stores.keys().read(in, stored);
            stores.values().read(in, stored);
        }
        seen = size;
    }

    private void checkPositions(HeadTokens head, int size) throws CacheFileException {
        BitSet found = new BitSet();
        int before = -1;
        for (int slot = 0; slot < head.positions().size(); slot++) {
            int position = head.positions().number(slot);
            boolean wrong = position < 0 || position >= size || found.get(position);
            if (wrong || (retention.keepsOrder() && position <= before)) {
                throw new CacheFileException("position of slot " + slot + " is " + position + ", allowed are 0 to "
                        + (size - 1) + ", each once" + (retention.keepsOrder() ? " and ascending" : ""));
            }
            found.set(position);
            before = position;
        }
    }

    private void checkHistory(HeadTokens head) throws CacheFileException {
        for (int i = 0; i < head.history().size(); i++) {
            int bits = head.history().number(i);
            if (!retention.allows(bits)) {
                throw new CacheFileException("history of slot " + i / numbers + " has the bits "
                        + Integer.toHexString(bits) + ", which no history has");
            }
        }
    }

    @Override
    public void release() {
        store.release();
        for (HeadTokens head : tokens) {
            head.positions().release();
            head.history().release();
        }
    }
}
