package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.CountedOutliers;
import dev.kvasir.cache.store.ExactRows;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Outliers;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.SlottedOutliers;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.tensor.RotaryBlock;
import dev.kvasir.tensor.RotaryTable;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Locale;
import java.util.Optional;

/**
 * Who holds which token of a layer in KVQuant: codes of all tokens, so that a slot is a position; the first tokens exact
 * beside them, whose codes nobody reads and whose values are coded as zeros.
 */
final class KvQuantLayer implements SingleLayer {
    private static final float[] NOTHING = {};

    private final KvQuantOptions options;
    private final KeySide keys;
    private final ValueSide values;
    private final ExactRows sinks;
    private final KeyReader[] keyReaders;
    private final ValueReader[] valueReaders;

    // The step at hand.
    private float[] newKeys = NOTHING;
    private float[] newValues = NOTHING;
    private int count;
    private int newSinks;

    private KvQuantLayer(KvQuantOptions options, KeySide keys, ValueSide values, ExactRows sinks) {
        this.options = options;
        this.keys = keys;
        this.values = values;
        this.sinks = sinks;
        int heads = options.shape().kvHeads();
        keyReaders = new KeyReader[heads];
        valueReaders = new ValueReader[heads];
        for (int h = 0; h < heads; h++) {
            keyReaders[h] = sinks.keys(h, keys.head(h));
            valueReaders[h] = sinks.values(h, values.head(h));
        }
    }

    /** An empty layer. */
    static KvQuantLayer empty(
            KvQuantOptions options,
            KvQuantTables tables,
            RotaryTable table,
            RotaryBlock rotary,
            PagePool pool,
            Kernels kernels) {
        PackedKeys keyCodes = new PackedKeys(pool, kernels, KeySide.layout(options, tables));
        PackedValues valueCodes = new PackedValues(pool, kernels, ValueSide.layout(options, tables));
        Outliers keyOutliers = outliers(options, pool, options.keySlots());
        Outliers valueOutliers = outliers(options, pool, options.valueSlots());
        int headDim = options.shape().headDim();
        int kvHeads = options.shape().kvHeads();
        return new KvQuantLayer(
                options,
                new KeySide(options, kernels, table, rotary, tables, keyCodes, keyOutliers),
                new ValueSide(options, tables, valueCodes, valueOutliers),
                new ExactRows(pool, kernels, options.dtype(), headDim, kvHeads, options.sinks()));
    }

    private static Outliers outliers(KvQuantOptions options, PagePool pool, int slots) {
        if (!options.sparse()) {
            return Outliers.NONE;
        }
        return slots > 0
                ? new SlottedOutliers(pool, options.width(), slots)
                : new CountedOutliers(pool, options.width());
    }

    KeySide keySide() {
        return keys;
    }

    ValueSide valueSide() {
        return values;
    }

    @Override
    public int size() {
        return keys.size();
    }

    @Override
    public Slots slots() {
        return Slots.IN_ORDER;
    }

    @Override
    public KeyReader keys(int kvHead) {
        return keyReaders[kvHead];
    }

    @Override
    public ValueReader values(int kvHead) {
        return valueReaders[kvHead];
    }

    /** A decoded token reads itself back quantized, as in the paper's deployment, unless it is one of the exact ones. */
    @Override
    public boolean storesFirst(int tokens) {
        return options.quantizedPrefill() || (tokens == 1 && size() >= options.sinks());
    }

    @Override
    public long wantedBytes(int tokens) {
        return keys.wantedBytes(tokens) + values.wantedBytes(tokens) + sinks.wantedBytes(tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        keys.reserve(tokens, claim);
        values.reserve(tokens, claim);
        sinks.reserve(tokens, claim);
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        count = states.count();
        newKeys = options.keys().beforeRope() ? states.keysBeforeRope() : states.keys();
        newValues = states.values();
        newSinks = Math.clamp((long) options.sinks() - size(), 0, count);
        for (int t = 0; t < newSinks; t++) {
            int at = t * options.width();
            sinks.add(size() + t, states.keys(), at, newValues, at);
        }
    }

    @Override
    public int appendParts() {
        return 2;
    }

    @Override
    public void append(int part, Scratch scratch) {
        if (part == 0) {
            keys.append(newKeys, count, scratch);
        } else {
            values.append(newValues, count, newSinks, scratch);
        }
    }

    @Override
    public void end() {
        keys.outliers().trim();
        values.outliers().trim();
        newKeys = NOTHING;
        newValues = NOTHING;
    }

    @Override
    public int smallestSize() {
        return 0;
    }

    @Override
    public void truncate(int size) {
        keys.truncate(size);
        values.truncate(size);
        sinks.truncate(size);
    }

    @Override
    public Footprint footprint() {
        return keys.footprint().plus(values.footprint()).plus(sinks.footprint());
    }

    @Override
    public Optional<String> remark(int layer) {
        return keys.clamped() == 0
                ? Optional.empty()
                : Optional.of(String.format(
                        Locale.ROOT, "layer %d: %,d key outliers beyond the cap stay clamped", layer, keys.clamped()));
    }

    @Override
    public KvQuantLayer fork() {
        return new KvQuantLayer(options, keys.fork(), values.fork(), sinks.fork());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        keys.write(out);
        values.write(out);
        sinks.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        keys.read(in, size);
        values.read(in, size);
        sinks.read(in, size);
    }

    @Override
    public void release() {
        keys.release();
        values.release();
        sinks.release();
    }
}
