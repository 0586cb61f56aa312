package dev.kvasir.cache.method.a2ats;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.Stash;
import dev.kvasir.cache.lookup.Chosen;
import dev.kvasir.cache.lookup.CountedTopK;
import dev.kvasir.cache.lookup.TokenIndex;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.TokenCodes;
import dev.kvasir.tensor.RotaryTable;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;
import java.util.function.IntFunction;

/**
 * A layer's codes: two bytes for each token of a KV head. A query, turned to the far position, is scored on the code vectors;
 * the tokens of the best codes are read, and beside them the sinks and the window.
 */
final class CodeIndex implements TokenIndex {
    private final A2AtsOptions options;
    private final CacheShape shape;
    private final RotaryTable rotary;
    private final int far;
    private final List<KeyCodebook> codebooks;
    private final Stash<CountedTopK> choosers;
    private final TokenCodes[] codes;
    /** Queries of the step, turned to the far position, {@code [heads][headDim]}. */
    private final float[] turned;

    // The step at hand.
    private float[] newKeys = {};
    private int count;

    /** An empty index. */
    CodeIndex(
            A2AtsOptions options,
            CacheShape shape,
            RotaryTable rotary,
            int far,
            List<KeyCodebook> codebooks,
            Stash<CountedTopK> choosers,
            PagePool pool) {
        this(options, shape, rotary, far, codebooks, choosers, new TokenCodes[shape.kvHeads()]);
        for (int h = 0; h < codes.length; h++) {
            codes[h] = new TokenCodes(pool);
        }
    }

    private CodeIndex(
            A2AtsOptions options,
            CacheShape shape,
            RotaryTable rotary,
            int far,
            List<KeyCodebook> codebooks,
            Stash<CountedTopK> choosers,
            TokenCodes[] codes) {
        this.options = options;
        this.shape = shape;
        this.rotary = rotary;
        this.far = far;
        this.codebooks = codebooks;
        this.choosers = choosers;
        this.codes = codes;
        this.turned = new float[shape.heads() * shape.headDim()];
    }

    /** The code of a token. */
    int code(int kvHead, int token) {
        return codes[kvHead].code(token);
    }

    /** The first candidate: the token after the sinks. */
    private int first() {
        return options.sinks();
    }

    /** The token after the last candidate: the first of the window. */
    private int last(int position) {
        return position - options.window() + 1;
    }

    /** Tokens that each query head chooses: a share of all, the step's own counted. */
    private int wanted(int position) {
        return (int) Math.floor(options.share() * (position + 1));
    }

    @Override
    public boolean chooses(int position) {
        return wanted(position) < last(position) - first();
    }

    @Override
    public void open(Queries queries) {
        rotary.rotate(far, shape.heads(), queries.queriesBeforeRope(), 0, turned, 0);
    }

    @Override
    public void choose(int kvHead, float[] queries, int rows, int position, Chosen chosen, Scratch scratch) {
        KeyCodebook codebook = codebooks.get(kvHead);
        float[] table = scratch.tile(rows * codebook.codes());
        codebook.scores(turned, kvHead * rows * shape.headDim(), rows, table);
        CountedTopK chooser = choosers.take();
        chooser.mark(codes[kvHead], first(), last(position), codebook.codes(), table, rows, wanted(position), chosen);
        choosers.giveBack(chooser);
        chosen.mark(0, first());
        chosen.mark(last(position), position);
    }

    @Override
    public long indexBytes(int position) {
        return wanted(position) == 0 ? 0 : 2L * Math.max(0, last(position) - first());
    }

    @Override
    public long tableBytes() {
        return codebooks.getFirst().bytes();
    }

    @Override
    public long wantedBytes(int tokens) {
        long wanted = 0;
        for (TokenCodes head : codes) {
            wanted += head.wantedBytes(tokens);
        }
        return wanted;
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        for (TokenCodes head : codes) {
            head.reserve(tokens, claim);
        }
    }

    @Override
    public void begin(TokenStates states, IntFunction<KeyReader> keys) {
        newKeys = states.keysBeforeRope();
        count = states.count();
    }

    @Override
    public int appendParts() {
        return codes.length;
    }

    @Override
    public void append(int kvHead, Scratch scratch) {
        TokenCodes to = codes[kvHead];
        int offset = kvHead * shape.headDim();
        int stride = shape.kvHeads() * shape.headDim();
        codebooks.get(kvHead).codes(newKeys, offset, stride, count, scratch, to::append);
    }

    @Override
    public void truncate(int size) {
        for (TokenCodes head : codes) {
            head.truncate(size);
        }
    }

    @Override
    public Footprint footprint() {
        long bytes = 0;
        for (TokenCodes head : codes) {
            bytes += head.bytes();
        }
        return new Footprint(0, 0, 0, bytes, 0);
    }

    @Override
    public CodeIndex fork() {
        TokenCodes[] copies = new TokenCodes[codes.length];
        for (int h = 0; h < copies.length; h++) {
            copies[h] = codes[h].fork();
        }
        return new CodeIndex(options, shape, rotary, far, codebooks, choosers, copies);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        out.writeInt(codebooks.getFirst().codes());
        for (TokenCodes head : codes) {
            head.write(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int found = in.readInt();
        int expected = codebooks.getFirst().codes();
        if (found != expected) {
            throw new CacheFileException("code vectors of a head: found " + found + ", expected " + expected
                    + ": it was saved with another calibration");
        }
        for (TokenCodes head : codes) {
            head.read(in, size, expected);
        }
    }

    @Override
    public void release() {
        truncate(0);
    }
}
