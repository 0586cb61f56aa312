package dev.kvasir.cache.lookup;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.TokenRows;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** A layer that holds every token exactly, a token's key and value of a head in one run. */
final class RowLayer implements SingleLayer {
    private final int headDim;
    private final TokenRows[] heads;

    // The step at hand.
    private float[] newKeys = {};
    private float[] newValues = {};
    private int count;

    RowLayer(CacheShape shape, Element element, PagePool pool, Kernels kernels) {
        this(shape.headDim(), new TokenRows[shape.kvHeads()]);
        for (int h = 0; h < heads.length; h++) {
            heads[h] = new TokenRows(pool, kernels, element, headDim);
        }
    }

    private RowLayer(int headDim, TokenRows[] heads) {
        this.headDim = headDim;
        this.heads = heads;
    }

    @Override
    public int size() {
        return heads[0].size();
    }

    @Override
    public Slots slots() {
        return Slots.IN_ORDER;
    }

    @Override
    public KeyReader keys(int kvHead) {
        return heads[kvHead].keys();
    }

    @Override
    public ValueReader values(int kvHead) {
        return heads[kvHead].values();
    }

    @Override
    public long wantedBytes(int tokens) {
        long wanted = 0;
        for (TokenRows head : heads) {
            wanted += head.wantedBytes(tokens);
        }
        return wanted;
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        for (TokenRows head : heads) {
            head.reserve(tokens, claim);
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
        return heads.length;
    }

    @Override
    public void append(int kvHead, Scratch scratch) {
        heads[kvHead].append(newKeys, newValues, kvHead * headDim, heads.length * headDim, count);
    }

    @Override
    public int smallestSize() {
        return 0;
    }

    @Override
    public void truncate(int size) {
        for (TokenRows head : heads) {
            head.truncate(size);
        }
    }

    @Override
    public Footprint footprint() {
        Footprint sum = Footprint.ZERO;
        for (TokenRows head : heads) {
            sum = sum.plus(head.footprint());
        }
        return sum;
    }

    @Override
    public RowLayer fork() {
        TokenRows[] copies = new TokenRows[heads.length];
        for (int h = 0; h < copies.length; h++) {
            copies[h] = heads[h].fork();
        }
        return new RowLayer(headDim, copies);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        for (TokenRows head : heads) {
            head.write(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        for (TokenRows head : heads) {
            head.read(in, size);
        }
    }

    @Override
    public void release() {
        for (TokenRows head : heads) {
            head.release();
        }
    }
}
