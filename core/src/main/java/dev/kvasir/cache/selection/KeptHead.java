package dev.kvasir.cache.selection;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.HeadStores;
import dev.kvasir.cache.store.Scratch;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.BitSet;

/**
 * The tokens of one head that stay: puts them into its stores, with positions and history beside them, and closes the gaps that
 * others leave.
 */
final class KeptHead {
    private static final float[] NOTHING = {};
    /** Numbers of gathered rows kept between steps. */
    private static final int KEPT_ROWS = 1 << 14;

    private final HeadStores store;
    private final int kvHead;
    private final int kvHeads;
    private final int headDim;
    private final HeadTokens tokens;
    private final Retention retention;
    /** Numbers of a token's history. */
    private final int numbers;

    private int[] staying = {};
    private int stayingCount;
    private int candidates;
    /** Rows that stay, in one run. */
    private float[] gatheredKeys = NOTHING;

    private float[] gatheredValues = NOTHING;

    // The step at hand, or its block.
    private float[] keys = NOTHING;
    private float[] values = NOTHING;

    KeptHead(HeadStores store, int kvHead, int kvHeads, int headDim, HeadTokens tokens, Retention retention) {
        this.store = store;
        this.kvHead = kvHead;
        this.kvHeads = kvHeads;
        this.headDim = headDim;
        this.tokens = tokens;
        this.retention = retention;
        this.numbers = retention.historyNumbers();
    }

    HeadTokens tokens() {
        return tokens;
    }

    /** Slots in use. */
    int size() {
        return tokens.positions().size();
    }

    /** Bytes that {@link #reserve} would take. */
    long wantedBytes(int room, boolean all) {
        return store.wantedBytes(kvHead, room, all)
                + tokens.positions().wantedBytes(room, all)
                + tokens.history().wantedBytes(numbers * room, true);
    }

    /** Makes room for {@code room} more slots; with {@code all}, tokens stored may move too. */
    void reserve(int room, boolean all, PagePool.Claim claim) {
        store.reserve(kvHead, room, all, claim);
        tokens.positions().reserve(room, all, claim);
        tokens.history().reserve(numbers * room, true, claim);
    }

    /** Takes the rows of a step, {@code [count][kvHeads][headDim]}. */
    void begin(float[] stepKeys, float[] stepValues) {
        keys = stepKeys;
        values = stepValues;
        candidates = tokens.all();
        if (staying.length < candidates) {
            staying = new int[candidates + candidates / 4];
        }
    }

    /** Stores what stays, and lets the others go. */
    void complete(Scratch scratch) {
        int stored = tokens.stored();
        stayingCount = retention.choose(kvHead, staying);
        int firstOwn = 0;
        while (firstOwn < stayingCount && staying[firstOwn] < stored) {
            firstOwn++;
        }
        int next = firstOwn;
        if (firstOwn < stored) {
            if (retention.keepsOrder()) {
                keep(firstOwn);
            } else {
                next = fill(firstOwn, stored, scratch);
                shorten(Math.min(stored, stayingCount));
            }
        }
        appendOwn(next, stored, scratch);
    }

    /** Whether a token went in the last step. */
    boolean hasLetGo() {
        return stayingCount < candidates;
    }

    /** Closes the gaps between the stored tokens that stay. */
    private void keep(int storedCount) {
        store.keep(kvHead, staying, storedCount);
        for (int slot = 0; slot < storedCount; slot++) {
            if (staying[slot] != slot) {
                moveNumbers(staying[slot], slot);
            }
        }
        tokens.positions().shorten(storedCount);
        tokens.history().shorten(numbers * storedCount);
    }

    /**
     * Gives the slots of the stored tokens that go to the step's own, and those left over to the last stored ones. Returns where
     * the tokens not yet placed begin.
     */
    private int fill(int storedCount, int stored, Scratch scratch) {
        int next = storedCount;
        int last = storedCount - 1;
        int at = 0;
        for (int slot = 0; slot < Math.min(stored, stayingCount); slot++) {
            if (at <= last && staying[at] == slot) {
                at++;
            } else if (next < stayingCount) {
                place(slot, staying[next++] - stored, scratch);
            } else {
                store.move(kvHead, staying[last], slot);
                moveNumbers(staying[last--], slot);
            }
        }
        return next;
    }

    private void moveNumbers(int from, int to) {
        tokens.positions().set(to, tokens.positions().number(from));
        for (int i = 0; i < numbers; i++) {
            tokens.history().set(numbers * to + i, tokens.history().number(numbers * from + i));
        }
    }

    private void shorten(int size) {
        store.shorten(kvHead, size);
        tokens.positions().shorten(size);
        tokens.history().shorten(numbers * size);
    }

    private void place(int slot, int token, Scratch scratch) {
        store.replace(kvHead, slot, keys, values, rowOffset(token), scratch);
        tokens.positions().set(slot, tokens.first() + token);
        for (int i = 0; i < numbers; i++) {
            tokens.history().set(numbers * slot + i, retention.historyBits(kvHead, token, i));
        }
    }

    /** Appends the step's own tokens that stay, at once: a store may have made room for just that. */
    private void appendOwn(int from, int stored, Scratch scratch) {
        int count = stayingCount - from;
        if (count == 0) {
            return;
        }
        if (staying[stayingCount - 1] - staying[from] == count - 1) {
            int first = rowOffset(staying[from] - stored);
            store.append(kvHead, keys, values, first, kvHeads * headDim, count, scratch);
        } else {
            gather(from, count, stored);
            store.append(kvHead, gatheredKeys, gatheredValues, 0, headDim, count, scratch);
        }
        for (int i = from; i < stayingCount; i++) {
            int token = staying[i] - stored;
            tokens.positions().append(tokens.first() + token);
            for (int n = 0; n < numbers; n++) {
                tokens.history().append(retention.historyBits(kvHead, token, n));
            }
        }
    }

    private void gather(int from, int count, int stored) {
        gatheredKeys = Scratch.grown(gatheredKeys, count * headDim);
        gatheredValues = Scratch.grown(gatheredValues, count * headDim);
        for (int i = 0; i < count; i++) {
            int row = rowOffset(staying[from + i] - stored);
            System.arraycopy(keys, row, gatheredKeys, i * headDim, headDim);
            System.arraycopy(values, row, gatheredValues, i * headDim, headDim);
        }
    }

    private int rowOffset(int token) {
        return (token * kvHeads + kvHead) * headDim;
    }

    /** The step is over. A long prompt's rows are not kept. */
    void end() {
        keys = NOTHING;
        values = NOTHING;
        if (gatheredKeys.length > KEPT_ROWS) {
            gatheredKeys = NOTHING;
            gatheredValues = NOTHING;
        }
    }

    /** Gives back the pages that hold no token; only where tokens are movable. */
    void trim() {
        store.trim(kvHead);
        tokens.positions().trim();
        tokens.history().trim();
    }

    /** Forgets the tokens from a position on, which are the newest slots. */
    void truncate(int position) {
        int slot = size();
        while (slot > 0 && tokens.positions().number(slot - 1) >= position) {
            slot--;
        }
        store.truncate(kvHead, slot);
        tokens.positions().truncate(slot);
        tokens.history().truncate(numbers * slot);
    }

    /** Bytes of positions and history. */
    long indexBytes() {
        return tokens.positions().bytes() + tokens.history().bytes();
    }

    void write(DataOutput out) throws IOException {
        out.writeInt(size());
        tokens.positions().write(out);
        tokens.history().write(out);
        Head stores = store.head(kvHead);
        stores.keys().write(out);
        stores.values().write(out);
    }

    /** Reads tokens of which {@code seen} had been seen. */
    void read(DataInput in, int seen) throws IOException {
        int stored = in.readInt();
        if (stored < 0 || stored > seen) {
            throw new CacheFileException("head " + kvHead + " holds " + stored + " tokens, allowed are 0 to " + seen);
        }
        tokens.positions().read(in, stored);
        checkPositions(seen);
        tokens.history().read(in, Math.multiplyExact(numbers, stored));
        checkHistory();
        Head stores = store.head(kvHead);
        stores.keys().read(in, stored);
        stores.values().read(in, stored);
    }

    private void checkPositions(int seen) throws CacheFileException {
        BitSet found = new BitSet();
        int before = -1;
        for (int slot = 0; slot < size(); slot++) {
            int position = tokens.positions().number(slot);
            boolean wrong = position < 0 || position >= seen || found.get(position);
            if (wrong || (retention.keepsOrder() && position <= before)) {
                throw new CacheFileException("position of slot " + slot + " is " + position + ", allowed are 0 to "
                        + (seen - 1) + ", each once" + (retention.keepsOrder() ? " and ascending" : ""));
            }
            found.set(position);
            before = position;
        }
    }

    private void checkHistory() throws CacheFileException {
        for (int i = 0; i < tokens.history().size(); i++) {
            int bits = tokens.history().number(i);
            if (!retention.allows(bits)) {
                throw new CacheFileException("history of slot " + i / numbers + " has the bits "
                        + Integer.toHexString(bits) + ", which no history has");
            }
        }
    }

    void release() {
        tokens.positions().release();
        tokens.history().release();
    }
}
