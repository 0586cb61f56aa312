package dev.kvasir.cache.method.rotatekv;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.attention.TurnedValues;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.ExactRows;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.MatrixProduct;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.RotatingKeys;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.TiledKeys;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.cache.transform.Transform;
import dev.kvasir.tensor.RotaryTable;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A layer in RotateKV: every token as codes in the rotated bases, and its attention sinks exact beside them.
 *
 * <p>Sinks are the tokens of the largest activations of the prompt. The prompt ends when, after the first step, a token comes
 * alone: from then on tokens are decoded and never sinks. When a later chunk of the prompt brings larger activations, the
 * tokens whose entries they displace stop being sinks and are read from their codes from then on: the sinks of a prompt do
 * not depend on how it is cut. Nor do they on a rollback, which is why none may reach back to a sink.
 */
final class RotateKvLayer implements SingleLayer {
    private static final float[] NONE = {};

    private final RotateKvPlan plan;
    private final Kernels kernels;
    private final RotaryTable rotary;
    private final RotatedKeys keys;
    private final PackedValues values;
    private final Transform valueBasis;
    private final Optional<FusedProjections> fused;
    private final ExactRows sinks;
    private final MassiveActivations activations;
    private final List<KeyReader> keyReaders = new ArrayList<>();
    private final List<ValueReader> valueReaders = new ArrayList<>();

    // The step at hand.
    private float[] newKeys = NONE;
    private float[] newValues = NONE;
    private float[] newInput = NONE;
    private float[] exactKeys = NONE;
    private int count;
    private int first;
    private boolean prompt;
    private boolean holdsSinks;

    /** Tokens of the prompt once it has ended, else -1. */
    private int promptEnd = -1;

    /**
     * An empty layer.
     *
     * @param fused what makes stored keys and values of a layer's input, if they are not to be turned token by token
     */
    RotateKvLayer(
            RotateKvPlan plan,
            KeyBasis basis,
            Optional<FusedProjections> fused,
            RotaryTable rotary,
            PagePool pool,
            Kernels kernels) {
        this(
                plan,
                kernels,
                rotary,
                new RotatedKeys(new PackedKeys(pool, kernels, plan.keys()), basis),
                new PackedValues(pool, kernels, plan.values()),
                plan.valueBasis(),
                fused,
                new ExactRows(
                        pool,
                        kernels,
                        RotateKvPlan.EXACT,
                        plan.shape().headDim(),
                        plan.shape().kvHeads(),
                        plan.sinkEntries()),
                new MassiveActivations(plan.sinkEntries()));
    }

    private RotateKvLayer(
            RotateKvPlan plan,
            Kernels kernels,
            RotaryTable rotary,
            RotatedKeys keys,
            PackedValues values,
            Transform valueBasis,
            Optional<FusedProjections> fused,
            ExactRows sinks,
            MassiveActivations activations) {
        this.plan = plan;
        this.kernels = kernels;
        this.rotary = rotary;
        this.keys = keys;
        this.values = values;
        this.valueBasis = valueBasis;
        this.fused = fused;
        this.sinks = sinks;
        this.activations = activations;
        int headDim = plan.shape().headDim();
        int kvHeads = plan.shape().kvHeads();
        RotatingKeys rotating = new RotatingKeys(kernels, rotary, keys, kvHeads);
        TiledKeys tiled = new TiledKeys(kernels, keys, kvHeads, headDim);
        for (int h = 0; h < kvHeads; h++) {
            keyReaders.add(sinks.keys(h, plan.beforeRope() ? rotating.head(h) : tiled.head(h)));
            ValueReader share = values.channels(h * headDim, (h + 1) * headDim);
            valueReaders.add(new TurnedValues(sinks.values(h, share), valueBasis));
        }
    }

    @Override
    public int size() {
        return keys.size();
    }

    /** Whether a step of {@code tokens} tokens would belong to the prompt. */
    private boolean isPrompt(int tokens) {
        return promptEnd < 0 && (size() == 0 || tokens > 1);
    }

    RotatedKeys packedKeys() {
        return keys;
    }

    PackedValues packedValues() {
        return values;
    }

    ExactRows sinks() {
        return sinks;
    }

    @Override
    public Slots slots() {
        return Slots.IN_ORDER;
    }

    @Override
    public KeyReader keys(int kvHead) {
        return keyReaders.get(kvHead);
    }

    @Override
    public ValueReader values(int kvHead) {
        return valueReaders.get(kvHead);
    }

    @Override
    public boolean readsHeadsTogether() {
        return true;
    }

    /** A decoded token always sees itself as stored, as in the authors' code. */
    @Override
    public boolean storesFirst(int tokens) {
        return plan.quantizedPrefill() || !isPrompt(tokens);
    }

    @Override
    public long wantedBytes(int tokens) {
        return keys.packed().wantedBytes(tokens)
                + values.wantedBytes(tokens)
                + sinks.wantedRoom(size() + tokens, isPrompt(tokens));
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        keys.packed().reserve(tokens, claim);
        values.reserve(tokens, claim);
        sinks.reserveRoom(size() + tokens, isPrompt(tokens), claim);
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        count = states.count();
        first = size();
        if (fused.isPresent()) {
            newInput = states.input();
        } else {
            newKeys = plan.beforeRope() ? states.keysBeforeRope() : states.keys();
            newValues = states.values();
        }
        prompt = isPrompt(count);
        if (!prompt) {
            promptEnd = promptEnd < 0 ? first : promptEnd;
        } else {
            activations.see(states.residual(), count, plan.shape().hiddenSize(), first);
            for (int i = sinks.count() - 1; i >= 0; i--) {
                if (!activations.holds(sinks.slot(i))) {
                    sinks.remove(i);
                }
            }
            holdsSinks = false;
            for (int t = 0; t < count; t++) {
                holdsSinks |= activations.holds(first + t);
            }
            if (holdsSinks) {
                exactKeys = states.keys();
                newValues = states.values();
            }
        }
    }

    /** Keys, values, sinks. */
    @Override
    public int appendParts() {
        return 3;
    }

    @Override
    public void append(int part, Scratch scratch) {
        switch (part) {
            case 0 -> appendKeys(scratch);
            case 1 -> appendValues(scratch);
            default -> appendSinks(scratch);
        }
    }

    private void appendKeys(Scratch scratch) {
        if (fused.isPresent()) {
            keys.append(fused.get().keys(), newInput, count, scratch);
        } else {
            keys.append(newKeys, count, scratch);
        }
    }

    private void appendValues(Scratch scratch) {
        int width = plan.values().lanes();
        for (int t = 0; t < count; t += Kernels.PANEL) {
            int run = Math.min(Kernels.PANEL, count - t);
            float[] rows = fused.isPresent() ? projected(t, run, scratch) : turned(t, run, scratch);
            values.append(rows, 0, width, run, scratch);
        }
    }

    /** As {@link #turned}, by the fused weights. */
    private float[] projected(int token, int run, Scratch scratch) {
        MatrixProduct product = fused.orElseThrow().values();
        float[] rows = scratch.spare(Kernels.PANEL * product.outputs());
        product.ofRows(newInput, token * product.inputs(), run, 0, product.outputs(), rows, 0, scratch);
        return rows;
    }

    /** The values of tokens {@code token} and following of the step, in the basis they are stored in. */
    private float[] turned(int token, int run, Scratch scratch) {
        int width = plan.values().lanes();
        float[] rows = scratch.lanes(Kernels.PANEL * width);
        System.arraycopy(newValues, token * width, rows, 0, run * width);
        valueBasis.apply(rows, 0, run * plan.shape().kvHeads());
        return rows;
    }

    private void appendSinks(Scratch scratch) {
        if (!prompt || !holdsSinks) {
            return;
        }
        for (int t = 0; t < count; t++) {
            if (activations.holds(first + t)) {
                sinks.add(first + t, exactKeys, t * plan.values().lanes(), turned(t, 1, scratch), 0);
            }
        }
    }

    @Override
    public void end() {
        newKeys = NONE;
        newValues = NONE;
        newInput = NONE;
        exactKeys = NONE;
    }

    @Override
    public int smallestSize() {
        return activations.isFull() ? activations.newestToken() + 1 : 0;
    }

    @Override
    public void truncate(int size) {
        keys.packed().truncate(size);
        values.truncate(size);
        sinks.truncate(size);
        activations.truncate(size);
        promptEnd = size <= promptEnd ? -1 : promptEnd;
    }

    @Override
    public Footprint footprint() {
        return keys.packed().footprint().plus(values.footprint()).plus(sinks.footprint());
    }

    @Override
    public RotateKvLayer fork() {
        RotateKvLayer fork = new RotateKvLayer(
                plan, kernels, rotary, keys.fork(), values.fork(), valueBasis, fused, sinks.fork(), activations.copy());
        fork.promptEnd = promptEnd;
        return fork;
    }

    @Override
    public void write(DataOutput out) throws IOException {
        out.writeInt(keys.basis().fingerprint());
        keys.packed().write(out);
        values.write(out);
        sinks.write(out);
        activations.write(out);
        out.writeInt(promptEnd);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int order = in.readInt();
        if (order != keys.basis().fingerprint()) {
            throw new CacheFileException("order of the channels: found " + Integer.toHexString(order) + ", expected "
                    + Integer.toHexString(keys.basis().fingerprint()) + ": it was saved with another calibration");
        }
        keys.packed().read(in, size);
        values.read(in, size);
        sinks.read(in, size);
        activations.read(in, size);
        int end = in.readInt();
        if (end < -1 || end > size) {
            throw new CacheFileException("end of the prompt: found " + end + ", allowed are -1 to " + size);
        }
        promptEnd = end;
    }

    @Override
    public void release() {
        keys.packed().release();
        values.release();
        sinks.release();
    }
}
