package dev.kvasir.cache.method.minicache;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.LayerStore;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyChain;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Lengths;
import dev.kvasir.cache.store.NewestTokens;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.TokenScalars;
import dev.kvasir.cache.store.ValueChain;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;

/**
 * One of the two layers of a {@link Pair}: merged tokens first, then those that wait in its window. The upper layer writes,
 * counts and reserves what both share.
 */
final class PairLayer implements LayerStore {
    private final Pair pair;
    private final Plan plan;
    private final boolean upper;
    private final Content content;
    private final KeyReader[] keys;
    private final ValueReader[] values;
    private int merged;

    // The step at hand.
    private float[] newKeys = {};
    private float[] newValues = {};
    private int count;
    private int waiting;
    private int merging;

    /** What a layer has for itself: lengths of keys, {@code [kvHeads]} of them, then of values; and the newest tokens. */
    record Content(TokenScalars lengths, NewestTokens window, int merged) {
        static Content empty(Plan plan, PagePool pool, Kernels kernels) {
            return new Content(
                    new TokenScalars(pool, kernels, 2 * plan.kvHeads()),
                    new NewestTokens(pool, kernels, plan.headDim(), plan.kvHeads(), plan.window()),
                    0);
        }

        Content fork() {
            return new Content(lengths.fork(), window.fork(), lengths.size());
        }
    }

    /**
     * A layer of a pair.
     *
     * @param index 0 the lower, 1 the upper
     * @param directions the keys that both layers share, head by head
     */
    PairLayer(Pair pair, int index, KeyReader[] directions, Content content) {
        this.pair = pair;
        this.plan = pair.plan();
        this.upper = index == 1;
        this.content = content;
        this.merged = content.merged();
        keys = new KeyReader[plan.kvHeads()];
        values = new ValueReader[plan.kvHeads()];
        for (int h = 0; h < plan.kvHeads(); h++) {
            KeyReader longKeys = new Lengths(content.lengths(), h, plan.headDim()).keys(directions[h]);
            ValueReader longValues = new Lengths(content.lengths(), plan.kvHeads() + h, plan.headDim())
                    .values(pair.directions().values(h));
            keys[h] = new KeyChain(
                    plan.headDim(),
                    List.of(
                            pair.kept().keys(index, h, longKeys),
                            content.window().keys(h)));
            values[h] = new ValueChain(List.of(
                    pair.kept().values(index, h, longValues), content.window().values(h)));
        }
    }

    Content content() {
        return content;
    }

    Pair pair() {
        return pair;
    }

    /** Tokens merged. */
    int merged() {
        return merged;
    }

    /** Tokens in the window. */
    int waiting() {
        return content.window().size();
    }

    @Override
    public int size() {
        return merged + waiting();
    }

    @Override
    public KeyReader keys(int kvHead) {
        return keys[kvHead];
    }

    @Override
    public ValueReader values(int kvHead) {
        return values[kvHead];
    }

    @Override
    public boolean readsHeadsTogether() {
        return plan.beforeRope();
    }

    @Override
    public long wantedBytes(int tokens) {
        int coming = plan.merging(waiting(), tokens);
        long wanted = content.window().wantedBytes(coming > 0, left(tokens, coming));
        if (coming == 0) {
            return wanted;
        }
        wanted += content.lengths().wantedBytes(coming, pair.firstWritten());
        return upper ? wanted + pair.directions().wantedBytes(coming) + missing(coming) : wanted;
    }

    /** Tokens of a step that go to the window. */
    private int left(int tokens, int coming) {
        return coming == 0 ? tokens : waiting() + tokens - coming;
    }

    /** Bytes to be set aside for the tokens to be kept, which may be all. */
    private long missing(int coming) {
        return Math.max(0, KeptTokens.bytes(plan, coming) - pair.aside().left());
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        int coming = plan.merging(waiting(), tokens);
        content.window().reserve(coming > 0, left(tokens, coming), claim);
        if (coming > 0) {
            content.lengths().reserve(coming, pair.firstWritten(), claim);
            if (upper) {
                pair.directions().reserve(coming, claim);
                claim.move(missing(coming), pair.aside());
            }
        }
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        count = states.count();
        waiting = waiting();
        merging = plan.merging(waiting(), count);
        if (merging == 0) {
            newKeys = states.keys();
            newValues = states.values();
        } else if (upper) {
            pair.beginUpper(states);
        } else {
            pair.beginLower(states, merging);
        }
    }

    /** Keys are even, values odd. */
    @Override
    public int appendParts() {
        return 2 * plan.kvHeads();
    }

    @Override
    public void append(int part, Scratch scratch) {
        if (merging == 0) {
            int width = plan.kvHeads() * plan.headDim();
            int at = part / 2 * plan.headDim();
            float[] rows = part % 2 == 0 ? newKeys : newValues;
            content.window().append(part % 2, part / 2, rows, at, width, count, scratch);
            return;
        }
        pair.load(content.window(), upper ? 1 : 0, part, waiting, count, scratch);
        if (upper) {
            pair.merge(part, waiting + count - merging, scratch);
        }
    }

    @Override
    public void end() {
        newKeys = new float[0];
        newValues = new float[0];
        if (merging > 0 && upper) {
            pair.endUpper();
        }
    }

    /** The pair has merged {@code tokens} tokens. */
    void endMerge(int tokens) {
        merged += tokens;
        content.lengths().extend(tokens);
        content.window().trim();
    }

    /** The window can always be forgotten, merged tokens as far as the stores of the directions and the decisions go back. */
    @Override
    public int smallestSize() {
        return Math.min(
                merged, Math.max(pair.directions().smallestSize(), pair.kept().smallestSize()));
    }

    @Override
    public void truncate(int size) {
        if (size >= merged) {
            content.window().truncate(size - merged);
            return;
        }
        content.window().truncate(0);
        content.lengths().truncate(size);
        merged = size;
        if (upper) {
            pair.directions().truncate(size);
            pair.kept().truncate(size);
        }
    }

    @Override
    public Footprint footprint() {
        Footprint own = content.window()
                .footprint()
                .plus(new Footprint(0, content.lengths().bytes(), 0, 0, 0));
        return upper ? own.plus(pair.directions().footprint()).plus(pair.kept().footprint()) : own;
    }

    @Override
    public void write(DataOutput out) throws IOException {
        out.writeInt(merged);
        content.lengths().write(out);
        content.window().write(out);
        if (upper) {
            pair.directions().write(out);
            pair.kept().write(out);
            pair.writeCosines(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int found = in.readInt();
        // The lower layer comes first and says how many; the upper one must agree.
        int least = upper ? pair.lowerMerged() : 0;
        int most = upper ? least : size;
        if (found < least || found > most) {
            throw new CacheFileException("merged tokens: found " + found + ", allowed are " + least + " to " + most);
        }
        content.lengths().read(in, found);
        content.window().read(in, size - found);
        merged = found;
        if (upper) {
            pair.directions().read(in, found);
            pair.kept().read(in, found);
            pair.readCosines(in);
        }
    }

    @Override
    public void release() {
        content.lengths().release();
        content.window().release();
        merged = 0;
        if (upper) {
            pair.directions().release();
            pair.kept().release();
            pair.aside().close();
        }
    }
}
