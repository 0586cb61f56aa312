package dev.kvasir.cache.method.xquant;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.KeyTiles;
import dev.kvasir.cache.store.MatrixProduct;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.Panels;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.tensor.RotaryTable;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** A layer that keeps its quantized input (variant A): one row of codes a token, of which keys and values are products. */
final class InputLayer implements SingleLayer {
    private static final float[] NONE = {};

    private final XQuantPlan plan;
    private final Weights weights;
    private final PackedValues inputs;
    private final HeadReaders readers;

    // The step at hand.
    private float[] newInputs = NONE;
    private int count;

    /** The layer's own weights and the rotary embedding, for all sequences. */
    record Weights(Kernels kernels, RotaryTable rotary, MatrixProduct keys, MatrixProduct values) {}

    /** An empty layer. */
    InputLayer(XQuantPlan plan, Weights weights, PagePool pool) {
        this(plan, weights, new PackedValues(pool, weights.kernels(), plan.rows()));
    }

    private InputLayer(XQuantPlan plan, Weights weights, PackedValues inputs) {
        this.plan = plan;
        this.weights = weights;
        this.inputs = inputs;
        this.readers = HeadReaders.of(
                weights.kernels(), weights.rotary(), plan.shape(), new Tiles(inputs, weights.keys()), weights.values());
    }

    /** Keys made of stored inputs, with the inputs beside them. */
    private record Tiles(PackedValues inputs, MatrixProduct keys) implements KeyTiles {
        @Override
        public int size() {
            return inputs.size();
        }

        @Override
        public int beside() {
            return Kernels.PANEL * keys.inputs();
        }

        @Override
        public void restore(int slot, float[] tile, Scratch scratch) {
            int beside = keys.outputs() * Kernels.PANEL;
            inputs.unpack(slot, tile, beside, scratch);
            products(keys, tile, beside, scratch);
        }
    }

    /** Writes the keys of 32 inputs that lie at {@code beside} to the beginning of a tile. */
    static void products(MatrixProduct keys, float[] tile, int beside, Scratch scratch) {
        int width = keys.inputs();
        float[] panel = scratch.tile(width * Kernels.PANEL);
        Panels.transpose(tile, beside, width, Kernels.PANEL, width, panel, Kernels.PANEL);
        keys.ofPanel(panel, 0, tile, 0, scratch);
    }

    /** The stored inputs. */
    PackedValues inputs() {
        return inputs;
    }

    @Override
    public int size() {
        return inputs.size();
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
        return inputs.wantedBytes(tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        inputs.reserve(tokens, claim);
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        newInputs = states.input();
        count = states.count();
    }

    @Override
    public int appendParts() {
        return 1;
    }

    @Override
    public void append(int part, Scratch scratch) {
        inputs.append(newInputs, 0, plan.width(), count, scratch);
    }

    @Override
    public void end() {
        newInputs = NONE;
    }

    @Override
    public int smallestSize() {
        return inputs.smallestSize();
    }

    @Override
    public void truncate(int size) {
        inputs.truncate(size);
    }

    @Override
    public Footprint footprint() {
        return inputs.footprint();
    }

    @Override
    public InputLayer fork() {
        return new InputLayer(plan, weights, inputs.fork());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        inputs.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        inputs.read(in, size);
    }

    @Override
    public void release() {
        inputs.release();
    }
}
