package dev.kvasir.cache.method.xquant;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.FlushingKeys;
import dev.kvasir.cache.store.FlushingValues;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.KeyStore;
import dev.kvasir.cache.store.KeyTiles;
import dev.kvasir.cache.store.MatrixProduct;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.cache.store.ValueStore;
import dev.kvasir.tensor.RotaryTable;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * A layer that keeps quantized latents of its input (variant B), one row for keys and one for values: with grouped queries the
 * input itself would be larger than keys and values. Latents of keys share scales by channel, since a few channels are far
 * larger than the rest; their newest tokens are exact until a group is full.
 */
final class LatentLayer implements SingleLayer {
    private static final float[] NONE = {};
    /** Tokens whose latents are made in one part. */
    private static final int PART = 32;

    private final XQuantPlan plan;
    private final Weights weights;
    private final KeyStore keys;
    private final ValueStore values;
    private final HeadReaders readers;

    // The step at hand.
    private float[] newInputs = NONE;
    private float[] keyLatents = NONE;
    private float[] valueLatents = NONE;
    private int count;

    /** The factors of the layer's weights and the rotary embedding, for all sequences. */
    record Weights(
            Kernels kernels,
            RotaryTable rotary,
            Latents keyBasis,
            MatrixProduct keys,
            Latents valueBasis,
            MatrixProduct values) {}

    /** An empty layer. */
    LatentLayer(XQuantPlan plan, Weights weights, PagePool pool) {
        this(plan, weights, emptyKeys(plan, weights.kernels(), pool), emptyValues(plan, weights.kernels(), pool));
    }

    private LatentLayer(XQuantPlan plan, Weights weights, KeyStore keys, ValueStore values) {
        this.plan = plan;
        this.weights = weights;
        this.keys = keys;
        this.values = values;
        this.readers = HeadReaders.of(
                weights.kernels(),
                weights.rotary(),
                plan.shape(),
                new Tiles(keys, weights.keys()),
                values,
                weights.values());
    }

    private static KeyStore emptyKeys(XQuantPlan plan, Kernels kernels, PagePool pool) {
        PackedKeys packed = new PackedKeys(pool, kernels, plan.columns());
        if (!plan.keysByChannel()) {
            return packed;
        }
        ExactKeys tail = new ExactKeys(pool, kernels, XQuantPlan.TAIL, plan.width(), plan.tailPageTokens(), true);
        return new FlushingKeys(packed, tail, XQuantPlan.TAIL, plan.width(), plan.group());
    }

    private static ValueStore emptyValues(XQuantPlan plan, Kernels kernels, PagePool pool) {
        PackedValues packed = new PackedValues(pool, kernels, plan.rows());
        if (plan.rows().axis() == PackedLayout.Axis.PER_DEPTH) {
            return packed;
        }
        ExactValues tail =
                new ExactValues(pool, kernels, XQuantPlan.TAIL, plan.width(), plan.tailPageTokens(), plan.group());
        return new FlushingValues(packed, tail, XQuantPlan.TAIL, plan.width(), plan.group());
    }

    /** Keys made of stored latents. */
    private record Tiles(KeyStore latents, MatrixProduct keys) implements KeyTiles {
        @Override
        public int size() {
            return latents.size();
        }

        @Override
        public void restore(int slot, float[] tile, Scratch scratch) {
            float[] panel = scratch.tile(keys.inputs() * Kernels.PANEL);
            panel(latents, keys.inputs(), slot, panel, scratch);
            keys.ofPanel(panel, 0, tile, 0, scratch);
        }
    }

    /** Writes the latents of 32 slots, the first a multiple of 32, to {@code out[width][32]}. */
    private static void panel(KeyStore latents, int width, int slot, float[] out, Scratch scratch) {
        if (latents instanceof FlushingKeys flushing) {
            int packed = flushing.packed().size();
            if (slot >= packed) {
                flushing.window().panel(slot - packed, out, 0, Kernels.PANEL);
            } else {
                panel(flushing.packed(), width, slot, out, scratch);
            }
        } else {
            ((PackedKeys) latents).unpack(slot, 0, width, out, scratch);
        }
    }

    /** The keys' latents. */
    KeyStore keyLatents() {
        return keys;
    }

    /** The values' latents. */
    ValueStore valueLatents() {
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
        return readers.keys().get(kvHead);
    }

    @Override
    public ValueReader values(int kvHead) {
        return readers.values().get(kvHead);
    }

    @Override
    public boolean readsHeadsTogether() {
        return true;
    }

    /** A token that comes alone sees its own key and value exact in any case. */
    @Override
    public boolean storesFirst(int tokens) {
        return plan.quantizedPrefill() && tokens > 1;
    }

    @Override
    public long wantedBytes(int tokens) {
        return keys.wantedBytes(tokens) + values.wantedBytes(tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        keys.reserve(tokens, claim);
        values.reserve(tokens, claim);
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        newInputs = states.input();
        count = states.count();
        keyLatents = Scratch.grown(keyLatents, count * plan.width());
        valueLatents = Scratch.grown(valueLatents, count * plan.width());
    }

    /** Keys and values of some tokens each. */
    @Override
    public int appendParts() {
        return 2 * Math.ceilDiv(count, PART);
    }

    @Override
    public void append(int part, Scratch scratch) {
        Latents basis = part % 2 == 0 ? weights.keyBasis() : weights.valueBasis();
        float[] out = part % 2 == 0 ? keyLatents : valueLatents;
        int from = part / 2 * PART;
        int rows = Math.min(PART, count - from);
        basis.of(weights.kernels(), newInputs, from, rows, out);
    }

    /** Keys, values. */
    @Override
    public int completeParts() {
        return 2;
    }

    @Override
    public void complete(int part, Scratch scratch) {
        if (part == 0) {
            keys.append(keyLatents, 0, plan.width(), count, scratch);
        } else {
            values.append(valueLatents, 0, plan.width(), count, scratch);
        }
    }

    @Override
    public void end() {
        newInputs = NONE;
        if (count > PART) {
            // A prompt's are not kept for the few tokens that follow.
            keyLatents = NONE;
            valueLatents = NONE;
        }
    }

    @Override
    public int smallestSize() {
        return Math.max(keys.smallestSize(), values.smallestSize());
    }

    @Override
    public void truncate(int size) {
        keys.truncate(size);
        values.truncate(size);
    }

    @Override
    public Footprint footprint() {
        return keys.footprint().plus(values.footprint());
    }

    @Override
    public LatentLayer fork() {
        return new LatentLayer(plan, weights, keys.fork(), values.fork());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        keys.write(out);
        values.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        keys.read(in, size);
        values.read(in, size);
    }

    @Override
    public void release() {
        keys.release();
        values.release();
    }
}
