package dev.kvasir.cache.importance;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.store.RowKeys;
import dev.kvasir.cache.store.RowStore;
import dev.kvasir.cache.store.RowValues;
import dev.kvasir.cache.store.TokenNumbers;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.function.UnaryOperator;

/** Some tokens of one KV head, all in one precision, in any order: keys, values, and beside them their positions. */
public record TokenTier(RowKeys keys, RowValues values, TokenNumbers positions) {
    /** Tokens held. */
    public int size() {
        return positions.size();
    }

    /** The position of the token in a slot. */
    public int position(int slot) {
        return positions.number(slot);
    }

    /** Bytes that {@link #reserve} would take. */
    long wantedBytes(int tokens, boolean all) {
        return wanted(keys, tokens, all) + wanted(values, tokens, all) + positions.wantedBytes(tokens, all);
    }

    private static long wanted(RowStore store, int tokens, boolean all) {
        return all ? store.wantedBytesForAll(tokens) : store.wantedBytes(tokens);
    }

    /** Makes room for {@code tokens} more; with {@code all}, those held become replaceable. */
    void reserve(int tokens, boolean all, PagePool.Claim claim) {
        reserve(keys, tokens, all, claim);
        reserve(values, tokens, all, claim);
        positions.reserve(tokens, all, claim);
    }

    private static void reserve(RowStore store, int tokens, boolean all, PagePool.Claim claim) {
        if (all) {
            store.reserveAll(tokens, claim);
        } else {
            store.reserve(tokens, claim);
        }
    }

    void truncate(int size) {
        keys.truncate(size);
        values.truncate(size);
        positions.truncate(size);
    }

    /** Bytes held; positions are indices. */
    Footprint footprint() {
        return keys.footprint().plus(values.footprint()).plus(new Footprint(0, 0, 0, positions.bytes(), 0));
    }

    TokenTier fork(UnaryOperator<RowKeys> keyFork) {
        return new TokenTier(keyFork.apply(keys), values.fork(), positions.fork());
    }

    void write(DataOutput out) throws IOException {
        keys.write(out);
        values.write(out);
        positions.write(out);
    }

    void read(DataInput in, int size) throws IOException {
        keys.read(in, size);
        values.read(in, size);
        positions.read(in, size);
    }

    void release() {
        keys.release();
        values.release();
        positions.release();
    }
}
