package dev.kvasir.cache.method.xquant;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.LayerStore;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Accumulator;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.KeyTiles;
import dev.kvasir.cache.store.MatrixProduct;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.tensor.RotaryTable;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import java.util.Optional;

/**
 * A layer that keeps the quantized difference of its input to what the layers before it add up to (variants C and D).
 *
 * <p>Before a step attends, every token's difference is added to the sum, which is then what this layer's keys and values are
 * made of; after it, the step's own tokens follow. A difference is always taken to the sum of what is stored, never to the
 * input of the layer before, so that errors do not grow with depth. The first layer of the group starts from zero.
 */
final class DeltaLayer implements LayerStore {
    private static final float[] NONE = {};
    private static final int PANEL = Kernels.PANEL;
    /** Tokens whose sums are made in one part. */
    private static final int PART = 512;

    private final DeltaPlan plan;
    private final Weights weights;
    private final PackedValues differences;
    private final Accumulator sum;
    private final HeadReaders readers;

    // The step at hand.
    private float[] newInputs = NONE;
    private float[] rows = NONE;
    private int count;
    private int first;

    /**
     * A layer's own weights and the rotary embedding, for all sequences.
     *
     * @param basis of the latents that are stored of a difference (D), or none where it is stored itself (C)
     * @param starts whether it starts the sum
     */
    record Weights(
            Kernels kernels,
            RotaryTable rotary,
            Optional<Latents> basis,
            MatrixProduct keys,
            MatrixProduct values,
            boolean starts) {}

    /** A layer that adds to a group's sum. */
    DeltaLayer(DeltaPlan plan, Weights weights, PackedValues differences, Accumulator sum) {
        this.plan = plan;
        this.weights = weights;
        this.differences = differences;
        this.sum = sum;
        this.readers = HeadReaders.of(
                weights.kernels(),
                weights.rotary(),
                plan.shape(),
                new Tiles(differences, sum, weights.keys()),
                weights.values());
    }

    /** Keys made of the sum, with the inputs that it stands for beside them. */
    private record Tiles(PackedValues differences, Accumulator sum, MatrixProduct keys) implements KeyTiles {
        @Override
        public int size() {
            return differences.size();
        }

        @Override
        public int beside() {
            return PANEL * keys.inputs();
        }

        @Override
        public void restore(int slot, float[] tile, Scratch scratch) {
            int beside = keys.outputs() * PANEL;
            sum.read(slot, PANEL, tile, beside);
            InputLayer.products(keys, tile, beside, scratch);
        }
    }

    /** The stored differences, or their latents. */
    PackedValues differences() {
        return differences;
    }

    /** The sum of all layers so far in a step, after it that of the last. */
    Accumulator sum() {
        return sum;
    }

    /** The same over another group's sum. */
    DeltaLayer fork(Accumulator otherSum) {
        return new DeltaLayer(plan, weights, differences.fork(), otherSum);
    }

    @Override
    public int size() {
        return differences.size();
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
        return plan.base().quantizedPrefill() && tokens > 1;
    }

    @Override
    public int openParts() {
        return Math.ceilDiv(size(), PART);
    }

    /** Brings the sums of some stored tokens to this layer's. */
    @Override
    public void open(int part, Scratch scratch) {
        int end = Math.min(size(), (part + 1) * PART);
        for (int slot = part * PART; slot < end; slot += PANEL) {
            add(slot, slot, Math.min(end, slot + PANEL), scratch);
        }
    }

    /** Adds what is stored of tokens {@code from} to {@code to - 1}, of the 32 from {@code block} on, to their sums. */
    private void add(int block, int from, int to, Scratch scratch) {
        int hidden = sum.width();
        int width = plan.width();
        int count = to - from;
        float[] sums = scratch.tile(PANEL * hidden);
        if (weights.starts()) {
            Arrays.fill(sums, 0, count * hidden, 0f);
        } else {
            sum.read(from, count, sums, 0);
        }
        float[] stored = scratch.lanes(PANEL * width);
        differences.unpack(block, stored, 0, scratch);
        int at = (from - block) * width;
        if (weights.basis().isEmpty()) {
            for (int i = 0; i < count * hidden; i++) {
                sums[i] += stored[at + i];
            }
        } else {
            float[] basis = weights.basis().get().basis();
            weights.kernels().sums(stored, at, width, count, basis, 0, hidden, width, hidden, sums, 0, hidden);
        }
        sum.write(from, count, sums, 0);
    }

    @Override
    public long wantedBytes(int tokens) {
        return differences.wantedBytes(tokens) + (weights.starts() ? sum.wantedBytes(size() + tokens) : 0);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        differences.reserve(tokens, claim);
        if (weights.starts()) {
            sum.reserve(size() + tokens, claim);
        }
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        newInputs = states.input();
        count = states.count();
        first = size();
        rows = Scratch.grown(rows, count * plan.width());
    }

    @Override
    public int appendParts() {
        return Math.ceilDiv(count, PANEL);
    }

    /** Makes the differences of some tokens. */
    @Override
    public void append(int part, Scratch scratch) {
        int hidden = sum.width();
        int end = Math.min(count, (part + 1) * PANEL);
        for (int t = part * PANEL; t < end; t++) {
            boolean latent = weights.basis().isPresent();
            float[] difference = latent ? scratch.tile(hidden) : rows;
            int at = latent ? 0 : t * hidden;
            if (weights.starts()) {
                System.arraycopy(newInputs, t * hidden, difference, at, hidden);
            } else {
                sum.read(first + t, 1, difference, at);
                for (int i = 0; i < hidden; i++) {
                    difference[at + i] = newInputs[t * hidden + i] - difference[at + i];
                }
            }
            if (latent) {
                weights.basis().get().ofOne(weights.kernels(), difference, 0, rows, t * plan.width());
            }
        }
    }

    @Override
    public int completeParts() {
        return 1;
    }

    /** Stores them, and brings the tokens' sums to this layer's. */
    @Override
    public void complete(int part, Scratch scratch) {
        differences.append(rows, 0, plan.width(), count, scratch);
        int end = first + count;
        for (int slot = first; slot < end; ) {
            int block = slot / PANEL * PANEL;
            int to = Math.min(end, block + PANEL);
            add(block, slot, to, scratch);
            slot = to;
        }
    }

    @Override
    public void end() {
        newInputs = NONE;
        if (count > PANEL) {
            // A prompt's are not kept for the few tokens that follow.
            rows = NONE;
        }
    }

    @Override
    public int smallestSize() {
        return 0;
    }

    @Override
    public void truncate(int size) {
        differences.truncate(size);
        if (weights.starts()) {
            sum.truncate(size);
        }
    }

    /** The sum is counted by the layer that starts it, as a window. */
    @Override
    public Footprint footprint() {
        return differences.footprint().plus(new Footprint(0, 0, weights.starts() ? sum.bytes() : 0, 0, 0));
    }

    /** The sum is made again at the next step. */
    @Override
    public void write(DataOutput out) throws IOException {
        differences.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        differences.read(in, size);
        if (weights.starts()) {
            sum.take(size);
        }
    }

    @Override
    public void release() {
        differences.release();
        if (weights.starts()) {
            sum.truncate(0);
        }
    }
}
