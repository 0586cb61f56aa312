package dev.kvasir.cache.method.locret;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.selection.KeptLayer;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.RowKeys;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.tensor.RotaryBlock;
import dev.kvasir.tensor.RotaryTable;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/**
 * A layer that keeps some of its tokens, whose keys it stores before RoPE and reads at the positions of their slots. All heads
 * have as many slots, most of them of different tokens.
 *
 * <pre>
 *   head = keys before RoPE | values | true positions [slots] | scores [slots]      all in the order of tokens
 * </pre>
 */
final class LocretLayer implements SingleLayer {
    private final KeptLayer kept;
    private final RotaryTable table;
    private final Kernels kernels;
    private final List<SlotKeys> keys = new ArrayList<>();

    private LocretLayer(KeptLayer kept, int kvHeads, RotaryTable table, Kernels kernels) {
        this.kept = kept;
        this.table = table;
        this.kernels = kernels;
        RotaryBlock rotary = new RotaryBlock(table);
        for (int h = 0; h < kvHeads; h++) {
            RowKeys stored = (RowKeys) kept.store().head(h).keys();
            keys.add(new SlotKeys(kernels, table, rotary, stored, kept.store().keyTransform(h)));
        }
    }

    /** Layers over kept ones, whose stores are of tokens that can move. */
    static LayerFactory factory(LayerFactory kept, int kvHeads, IntFunction<RotaryTable> tables) {
        return (layer, pool, kernels) ->
                new LocretLayer((KeptLayer) kept.group(layer, pool, kernels), kvHeads, tables.apply(layer), kernels);
    }

    /** What it keeps. */
    KeptLayer kept() {
        return kept;
    }

    @Override
    public int size() {
        return kept.size();
    }

    @Override
    public Slots slots() {
        return Slots.PLACED;
    }

    @Override
    public int position(int kvHead, int slot) {
        return kept.position(kvHead, slot);
    }

    @Override
    public KeyReader keys(int kvHead) {
        return keys.get(kvHead);
    }

    @Override
    public ValueReader values(int kvHead) {
        return kept.values(kvHead);
    }

    @Override
    public int block(int position, int count) {
        return kept.block(position, count);
    }

    @Override
    public void open(TokenStates states, Queries queries) {
        kept.open(states, queries);
        for (SlotKeys head : keys) {
            head.gone(kept.seen() - kept.size());
        }
    }

    @Override
    public long wantedBytes(int tokens) {
        return kept.wantedBytes(tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        kept.reserve(tokens, claim);
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        kept.begin(new PlainStates(states), queries);
    }

    @Override
    public int appendParts() {
        return kept.appendParts();
    }

    @Override
    public void append(int part, Scratch scratch) {
        kept.append(part, scratch);
    }

    @Override
    public int completeParts() {
        return kept.completeParts();
    }

    @Override
    public void complete(int part, Scratch scratch) {
        kept.complete(part, scratch);
    }

    @Override
    public void end() {
        kept.end();
    }

    @Override
    public void done() {
        kept.done();
    }

    @Override
    public int smallestSize() {
        return kept.smallestSize();
    }

    @Override
    public void truncate(int size) {
        kept.truncate(size);
    }

    @Override
    public Footprint footprint() {
        return kept.footprint();
    }

    @Override
    public LocretLayer fork() {
        return new LocretLayer(kept.fork(), keys.size(), table, kernels);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        kept.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        kept.read(in, size);
    }

    @Override
    public void release() {
        kept.release();
    }
}
