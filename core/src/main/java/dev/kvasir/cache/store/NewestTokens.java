package dev.kvasir.cache.store;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * The newest tokens of a layer, exact until all of them are taken at once to be stored in another way.
 *
 * <p>Sides of heads (0 keys, 1 values) may be written by several threads at a time, each its own.
 */
public final class NewestTokens {
    private static final Element ELEMENT = Element.F16;

    private final int headDim;
    private final int capacity;
    private final List<ExactKeys> keys = new ArrayList<>();
    private final List<ExactValues> values = new ArrayList<>();

    /**
     * None yet.
     *
     * @param capacity a multiple of 32, or 0 if none is ever held
     */
    public NewestTokens(PagePool pool, Kernels kernels, int headDim, int kvHeads, int capacity) {
        this(headDim, capacity);
        int pageTokens = pageTokens(capacity);
        for (int h = 0; h < kvHeads; h++) {
            keys.add(new ExactKeys(pool, kernels, ELEMENT, headDim, pageTokens, true));
            values.add(new ExactValues(pool, kernels, ELEMENT, headDim, pageTokens, Math.max(pageTokens, capacity)));
        }
    }

    private NewestTokens(int headDim, int capacity) {
        this.headDim = headDim;
        this.capacity = capacity;
    }

    private static int pageTokens(int capacity) {
        return capacity % 64 == 0 && capacity > 0 ? 64 : 32;
    }

    /** Bytes of {@code tokens} tokens of {@code kvHeads} heads: whole pages. */
    public static long bytes(int headDim, int kvHeads, int capacity, int tokens) {
        int pageTokens = pageTokens(capacity);
        return kvHeads
                * (ExactKeys.bytes(ELEMENT, headDim, pageTokens, tokens)
                        + ExactValues.bytes(ELEMENT, headDim, pageTokens, Math.max(pageTokens, capacity), tokens));
    }

    /** Tokens held. */
    public int size() {
        return keys.getFirst().size();
    }

    /** The keys of a head. */
    public KeyReader keys(int kvHead) {
        return keys.get(kvHead);
    }

    /** The values of a head. */
    public ValueReader values(int kvHead) {
        return values.get(kvHead);
    }

    private int from(boolean taken) {
        return taken ? 0 : size();
    }

    /** Bytes that {@link #reserve} would take. */
    public long wantedBytes(boolean taken, int tokens) {
        long wanted = 0;
        for (int h = 0; h < keys.size(); h++) {
            wanted += keys.get(h).wantedBytes(from(taken), from(taken) + tokens);
            wanted += values.get(h).wantedBytes(from(taken), from(taken) + tokens);
        }
        return wanted;
    }

    /**
     * Makes room for {@code tokens} more tokens.
     *
     * @param taken whether those held will have been {@linkplain #takeAll taken}
     */
    public void reserve(boolean taken, int tokens, PagePool.Claim claim) {
        for (int h = 0; h < keys.size(); h++) {
            keys.get(h).reserve(from(taken), from(taken) + tokens, claim);
            values.get(h).reserve(from(taken), from(taken) + tokens, claim);
        }
    }

    /** Adds tokens to a side of a head. */
    public void append(int side, int kvHead, float[] rows, int offset, int stride, int count, Scratch scratch) {
        if (side == 0) {
            keys.get(kvHead).append(rows, offset, stride, count, scratch);
        } else {
            values.get(kvHead).append(rows, offset, stride, count, scratch);
        }
    }

    /** Writes a side of a head to rows {@code stride} apart. */
    public void copy(int side, int kvHead, float[] out, int offset, int stride, Scratch scratch) {
        for (int t = 0; t < size(side, kvHead); t++) {
            if (side == 0) {
                keys.get(kvHead).row(t, out, offset + t * stride, scratch);
            } else {
                values.get(kvHead).row(t, out, offset + t * stride, scratch);
            }
        }
    }

    private int size(int side, int kvHead) {
        return side == 0 ? keys.get(kvHead).size() : values.get(kvHead).size();
    }

    /** Forgets a side of a head; its pages wait for the tokens that follow. */
    public void takeAll(int side, int kvHead) {
        if (side == 0) {
            keys.get(kvHead).shorten(0);
        } else {
            values.get(kvHead).shorten(0);
        }
    }

    /** Gives back pages that hold no token. */
    public void trim() {
        keys.forEach(ExactKeys::trim);
        values.forEach(ExactValues::trim);
    }

    /** Forgets the tokens from slot {@code size} on. */
    public void truncate(int size) {
        keys.forEach(store -> store.truncate(size));
        values.forEach(store -> store.truncate(size));
    }

    /** All pages, as a window. */
    public Footprint footprint() {
        Footprint sum = Footprint.ZERO;
        for (int h = 0; h < keys.size(); h++) {
            sum = sum.plus(keys.get(h).footprint()).plus(values.get(h).footprint());
        }
        return sum;
    }

    /** The same tokens again, in shared pages. */
    public NewestTokens fork() {
        NewestTokens fork = new NewestTokens(headDim, capacity);
        keys.forEach(store -> fork.keys.add(store.fork()));
        values.forEach(store -> fork.values.add(store.fork()));
        return fork;
    }

    /** Writes what {@link #read} needs. */
    public void write(DataOutput out) throws IOException {
        for (int h = 0; h < keys.size(); h++) {
            keys.get(h).write(out);
            values.get(h).write(out);
        }
    }

    /** Fills this empty window with {@code size} tokens. */
    public void read(DataInput in, int size) throws IOException {
        int most = Math.max(0, capacity - 1);
        if (size < 0 || size > most) {
            throw new CacheFileException("newest tokens: found " + size + ", allowed are 0 to " + most);
        }
        for (int h = 0; h < keys.size(); h++) {
            keys.get(h).read(in, size);
            values.get(h).read(in, size);
        }
    }

    /** Gives all pages back. */
    public void release() {
        keys.forEach(ExactKeys::release);
        values.forEach(ExactValues::release);
    }
}
