package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.RecentRows;
import dev.kvasir.cache.store.RotatingKeys;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.tensor.RotaryTable;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A layer in CSKV: latents of every token, and the newest tokens exact beside them. */
final class CskvLayer implements SingleLayer {
    private static final float[] NONE = {};

    /**
     * What all sequences share of a layer.
     *
     * @param keyRows {@code B} of the keys as {@code [kvHeads * headDim][rank]}
     */
    record Shared(CskvPlan plan, LayerFactors factors, RotaryTable rotary, float[] keyRows) {
        Shared(CskvPlan plan, LayerFactors factors, RotaryTable rotary) {
            this(plan, factors, rotary, factors.keys().rows());
        }
    }

    private final Shared shared;
    private final Kernels kernels;
    private final Latents keys;
    private final Latents values;
    private final RecentRows recent;
    private final List<KeyReader> keyReaders = new ArrayList<>();
    private final List<ValueReader> valueReaders = new ArrayList<>();

    // The step at hand.
    private float[] inputs = NONE;
    private float[] newKeys = NONE;
    private float[] newValues = NONE;
    private int count;

    private CskvLayer(Shared shared, Kernels kernels, Latents keys, Latents values, RecentRows recent) {
        this.shared = shared;
        this.kernels = kernels;
        this.keys = keys;
        this.values = values;
        this.recent = recent;
        CskvPlan plan = shared.plan();
        int kvHeads = plan.shape().kvHeads();
        RotatingKeys rotating =
                new RotatingKeys(kernels, shared.rotary(), new RebuiltKeys(keys, shared.keyRows()), kvHeads);
        for (int h = 0; h < kvHeads; h++) {
            keyReaders.add(new BranchKeys(plan, h, rotating.head(h), recent));
            valueReaders.add(new BranchValues(plan, h, values, recent));
        }
    }

    static CskvLayer empty(Shared shared, PagePool pool, Kernels kernels) {
        CskvPlan plan = shared.plan();
        return new CskvLayer(
                shared,
                kernels,
                new Latents(
                        kernels,
                        shared.factors().keys(),
                        plan.keys().store(pool, kernels, plan.element(), plan.block())),
                new Latents(
                        kernels,
                        shared.factors().values(),
                        plan.values().store(pool, kernels, plan.element(), plan.block())),
                new RecentRows(pool, kernels, plan.element(), plan.width(), plan.ring()));
    }

    @Override
    public int size() {
        return recent.size();
    }

    /** The first slot that is read exactly. */
    int firstExact() {
        return shared.plan().rule().firstExact(size(), shared.plan().window());
    }

    Latents keyLatents() {
        return keys;
    }

    Latents valueLatents() {
        return values;
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

    @Override
    public long wantedBytes(int tokens) {
        return keys.store().wantedBytes(tokens) + values.store().wantedBytes(tokens) + recent.wantedBytes(tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        keys.store().reserve(tokens, claim);
        values.store().reserve(tokens, claim);
        recent.reserve(tokens, claim);
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        count = states.count();
        inputs = states.input();
        newKeys = states.keys();
        newValues = states.values();
    }

    /** Latents of keys, latents of values, exact tokens. */
    @Override
    public int appendParts() {
        return 3;
    }

    @Override
    public void append(int part, Scratch scratch) {
        switch (part) {
            case 0 -> keys.append(inputs, count, scratch);
            case 1 -> values.append(inputs, count, scratch);
            default -> recent.append(newKeys, newValues, count);
        }
    }

    @Override
    public void end() {
        inputs = NONE;
        newKeys = NONE;
        newValues = NONE;
    }

    /** No further than to where every token that was exact then is still there: what follows is as if nothing had come after. */
    @Override
    public int smallestSize() {
        int exact = shared.plan().rule().smallest(recent.oldest(), shared.plan().window());
        int packed = Math.max(keys.store().smallestSize(), values.store().smallestSize());
        return Math.min(size(), Math.max(exact, packed));
    }

    @Override
    public void truncate(int size) {
        keys.store().truncate(size);
        values.store().truncate(size);
        recent.truncate(size);
    }

    @Override
    public Footprint footprint() {
        return keys.store().footprint().plus(values.store().footprint()).plus(recent.footprint());
    }

    @Override
    public CskvLayer fork() {
        return new CskvLayer(shared, kernels, keys.fork(), values.fork(), recent.fork());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        out.writeInt(shared.factors().fingerprint());
        keys.store().write(out);
        values.store().write(out);
        recent.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int found = in.readInt();
        int expected = shared.factors().fingerprint();
        if (found != expected) {
            throw new CacheFileException("factors: found " + Integer.toHexString(found) + ", expected "
                    + Integer.toHexString(expected) + ": it was saved with another calibration");
        }
        keys.store().read(in, size);
        values.store().read(in, size);
        recent.read(in, size);
        if (recent.oldest() > firstExact()) {
            throw new CacheFileException(
                    "oldest exact token: found " + recent.oldest() + ", at most allowed is " + firstExact());
        }
    }

    @Override
    public void release() {
        keys.store().release();
        values.store().release();
        recent.release();
    }
}
