package dev.kvasir.cache.lookup;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.Reads;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.LayerStore;
import dev.kvasir.cache.attention.SlotSelector;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.cache.tier.SecondTier;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A layer that keeps every token in a store, perhaps in the second tier, and reads few of them: those that an index chooses
 * for each step of one token. Longer steps read everything. What is read is counted.
 */
public final class LookupLayer implements LayerStore {
    private final LookupGroup.Plan plan;
    private final CacheShape shape;
    private final SecondTier tier;
    private final LayerStore store;
    private final Optional<TokenIndex> index;
    private final Optional<SlotSelector> chooser;
    private final Chosen[] chosen;
    private final ReadTally tally;
    private List<LookupLayer> all = List.of(this);

    // The step at hand.
    private int position;
    private int count;
    private boolean choosing;

    LookupLayer(
            LookupGroup.Plan plan, CacheShape shape, SecondTier tier, LayerStore store, Optional<TokenIndex> index) {
        this.plan = plan;
        this.shape = shape;
        this.tier = tier;
        this.store = store;
        this.index = index;
        this.chooser = index.map(Chooser::new);
        this.chosen = new Chosen[shape.kvHeads()];
        for (int h = 0; h < chosen.length; h++) {
            chosen[h] = new Chosen();
        }
        tally = new ReadTally(shape.kvHeads());
    }

    LookupLayer fork(LayerStore storeFork) {
        return new LookupLayer(plan, shape, tier, storeFork, index.map(TokenIndex::fork));
    }

    /** Says which layers share the tier with this one. */
    void join(List<LookupLayer> layers) {
        all = layers;
    }

    @Override
    public int size() {
        return store.size();
    }

    @Override
    public Slots slots() {
        return store.slots();
    }

    @Override
    public int position(int kvHead, int slot) {
        return store.position(kvHead, slot);
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
    public boolean readsHeadsTogether() {
        return store.readsHeadsTogether();
    }

    @Override
    public boolean storesFirst(int tokens) {
        return store.storesFirst(tokens);
    }

    @Override
    public int block(int first, int tokens) {
        return store.block(first, tokens);
    }

    @Override
    public Optional<WeightObserver> observer() {
        return store.observer();
    }

    @Override
    public void open(TokenStates states, Queries queries) {
        store.open(states, queries);
        position = store.size();
        count = states.count();
        choosing = count == 1 && index.isPresent() && index.get().chooses(position);
        if (count == 1) {
            tally.step(position, choosing);
        }
    }

    @Override
    public Optional<SlotSelector> selector(int tokens) {
        return choosing ? chooser : Optional.empty();
    }

    @Override
    public long wantedBytes(int tokens) {
        long wanted = tier.isApart() ? 0 : store.wantedBytes(tokens);
        return index.isPresent() ? wanted + index.get().wantedBytes(tokens) : wanted;
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        if (tier.isApart()) {
            reserveApart(tokens);
        } else {
            store.reserve(tokens, claim);
        }
        if (index.isPresent()) {
            index.get().reserve(tokens, claim);
        }
    }

    /** What all layers will want is made sure of before the first of them takes anything: a full disk then leaves all as they were. */
    private void reserveApart(int tokens) {
        long wanted = store.wantedBytes(tokens);
        long others = 0;
        for (int i = 0; i < all.size(); i++) {
            others += all.get(i).store.wantedBytes(tokens);
        }
        tier.pool().claim(Math.max(wanted, others)).close();
        try (PagePool.Claim claim = tier.pool().claim(wanted)) {
            store.reserve(tokens, claim);
        }
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        // First the index: it may read the tokens before, and storing changes what is there.
        if (index.isPresent()) {
            index.get().begin(states, store::keys);
        }
        store.begin(states, queries);
    }

    @Override
    public int appendParts() {
        return storeParts() + (index.isPresent() ? index.get().appendParts() : 0);
    }

    /** The tokens that the last step which chose has read of a head, its own not among them unless it was stored first. */
    public int[] lastRead(int kvHead) {
        return Arrays.copyOf(chosen[kvHead].slots(), chosen[kvHead].count());
    }

    /** What chooses; empty if the layer always reads everything. */
    public Optional<TokenIndex> index() {
        return index;
    }

    private int storeParts() {
        return store.appendParts();
    }

    @Override
    public void append(int part, Scratch scratch) {
        int storeParts = storeParts();
        if (part < storeParts) {
            store.append(part, scratch);
        } else {
            index.orElseThrow().append(part - storeParts, scratch);
        }
    }

    @Override
    public int completeParts() {
        return store.completeParts();
    }

    @Override
    public void complete(int part, Scratch scratch) {
        store.complete(part, scratch);
    }

    @Override
    public void end() {
        store.end();
        if (index.isPresent()) {
            index.get().end();
            if (store.size() != position + count) {
                throw new InvalidInputException(
                        plan.user() + " cannot store in " + plan.store().spec().method() + ", which drops tokens");
            }
        }
    }

    @Override
    public int smallestSize() {
        return store.smallestSize();
    }

    @Override
    public void truncate(int size) {
        store.truncate(size);
        index.ifPresent(present -> present.truncate(size));
    }

    @Override
    public Footprint footprint() {
        Footprint stored = plan.tier().isPresent() ? store.footprint().inSecondTier() : store.footprint();
        return index.isPresent() ? stored.plus(index.get().footprint()) : stored;
    }

    @Override
    public Reads reads() {
        return tally.reads(this::rowBytes);
    }

    /** Bytes of a row: of a store that is not read by rows, what its rows have on average. */
    private double rowBytes() {
        if (plan.store().byRows()) {
            return plan.store().rowBytes(shape.headDim());
        }
        return store.size() == 0 ? 0 : (double) store.footprint().total() / store.size() / shape.kvHeads();
    }

    @Override
    public void write(DataOutput out) throws IOException {
        store.write(out);
        if (index.isPresent()) {
            index.get().write(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        store.read(in, size);
        if (index.isPresent()) {
            index.get().read(in, size);
        }
    }

    @Override
    public void release() {
        store.release();
        index.ifPresent(TokenIndex::release);
        tier.letGo();
    }

    /** Chooses by the index, and counts what it chose. */
    private final class Chooser implements SlotSelector {
        private final TokenIndex by;

        Chooser(TokenIndex by) {
            this.by = by;
        }

        @Override
        public void begin(TokenStates states, Queries queries) {
            by.open(queries);
        }

        @Override
        public void select(int kvHead, float[] queries, int rows, Scratch scratch) {
            Chosen head = chosen[kvHead];
            head.clear(store.keys(kvHead).size());
            by.choose(kvHead, queries, rows, position, head, scratch);
            // Where the step is stored first, its own token is a slot.
            head.mark(position, position + 1);
            head.list();
            tally.head(kvHead, head, plan.store().byRows(), by.indexBytes(position), by.tableBytes());
        }

        @Override
        public int[] slots(int kvHead) {
            return chosen[kvHead].slots();
        }

        @Override
        public int count(int kvHead) {
            return chosen[kvHead].count();
        }
    }
}
