package dev.kvasir.cache.method.minicache;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.HeadStores;
import dev.kvasir.cache.attention.LayerGroup;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.NewestTokens;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.StoredNorms;
import dev.kvasir.cache.store.TokenScalars;
import dev.kvasir.cache.store.TokenStore;
import dev.kvasir.tensor.RotaryTable;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Two neighbouring layers. Of a merged token they share the direction of its key and value in each head; each layer has its
 * own {@linkplain PairLayer.Content lengths}. Tokens are merged when the upper layer has run: at once, or when a window of them is full.
 *
 * <p>Every row is rounded to F16 before it is merged, so that it does not matter whether it waited in the window. What a store
 * makes of a direction is no longer of length 1, so lengths are divided by its length as soon as it {@linkplain
 * TokenStore#settled settles} (ours: the paper keeps the lengths as they were): the restored vectors have their lengths to the
 * rounding of F16.
 */
final class Pair implements LayerGroup {
    private final Pairs pairs;
    private final Plan plan;
    private final PagePool pool;
    private final Kernels kernels;
    private final int layer;
    private final HeadStores directions;
    private final KeptTokens kept;
    private final PairLayer lower;
    private final PairLayer upper;
    /** Bytes for the tokens that the coming step may keep: set aside, not allocated, until it is known which. */
    private final PagePool.Claim aside;

    /** Sums of the cosines of keys and of values, and how many they are: what the pair agrees on. */
    private final double[] cosines;

    private long cosineCount;

    // The step at hand.
    private @Nullable MergeStep step;
    private final int[] settled;

    /** Two empty layers, the first of which is {@code layer}. */
    Pair(Pairs pairs, int layer, PagePool pool, Kernels kernels, HeadStores directions) {
        this.pairs = pairs;
        this.plan = pairs.plan();
        this.pool = pool;
        this.kernels = kernels;
        this.layer = layer;
        this.directions = directions;
        kept = new KeptTokens(plan, pool, kernels);
        cosines = new double[2];
        settled = new int[2 * plan.kvHeads()];
        aside = pool.claim(0);
        KeyReader[] keys = StoredKeys.readers(pairs, kernels, directions);
        lower = new PairLayer(this, 0, keys, PairLayer.Content.empty(plan, pool, kernels));
        upper = new PairLayer(this, 1, keys, PairLayer.Content.empty(plan, pool, kernels));
    }

    private Pair(Pair other) {
        pairs = other.pairs;
        plan = other.plan;
        pool = other.pool;
        kernels = other.kernels;
        layer = other.layer;
        directions = other.directions.fork();
        kept = other.kept.fork();
        cosines = other.cosines.clone();
        cosineCount = other.cosineCount;
        settled = new int[2 * plan.kvHeads()];
        aside = pool.claim(0);
        KeyReader[] keys = StoredKeys.readers(pairs, kernels, directions);
        lower = new PairLayer(this, 0, keys, other.lower.content().fork());
        upper = new PairLayer(this, 1, keys, other.upper.content().fork());
    }

    @Override
    public List<PairLayer> layers() {
        return List.of(lower, upper);
    }

    @Override
    public Pair fork() {
        return new Pair(this);
    }

    @Override
    public Optional<String> remark(int first) {
        return cosineCount == 0
                ? Optional.empty()
                : Optional.of(String.format(
                        Locale.ROOT,
                        "layers %d and %d: mean cosine %.3f of keys, %.3f of values",
                        first,
                        first + 1,
                        meanCosine(0),
                        meanCosine(1)));
    }

    Plan plan() {
        return plan;
    }

    HeadStores directions() {
        return directions;
    }

    KeptTokens kept() {
        return kept;
    }

    PagePool.Claim aside() {
        return aside;
    }

    int lowerMerged() {
        return lower.merged();
    }

    void writeCosines(DataOutput out) throws IOException {
        out.writeLong(cosineCount);
        out.writeDouble(cosines[0]);
        out.writeDouble(cosines[1]);
    }

    void readCosines(DataInput in) throws IOException {
        cosineCount = in.readLong();
        cosines[0] = in.readDouble();
        cosines[1] = in.readDouble();
        if (cosineCount < 0 || !(Math.abs(cosines[0]) <= cosineCount) || !(Math.abs(cosines[1]) <= cosineCount)) {
            throw new CacheFileException("cosines: found sums " + cosines[0] + " and " + cosines[1] + " of "
                    + cosineCount + ", allowed are numbers and sums up to them");
        }
    }

    /** Mean cosine of the angle between the two layers' keys (side 0) or values (side 1), of all tokens merged; 1 if there are none. */
    double meanCosine(int side) {
        return cosineCount == 0 ? 1 : cosines[side] / cosineCount;
    }

    /** The first slot whose lengths a merge writes. */
    int firstWritten() {
        int first = upper.merged();
        for (int part = 0; part < settled.length; part++) {
            first = Math.min(first, store(part).settled());
        }
        return first;
    }

    /** The store of a side of a head: keys are even, values odd, as in {@link HeadStores#append}. */
    private TokenStore store(int part) {
        return part % 2 == 0
                ? directions.head(part / 2).keys()
                : directions.head(part / 2).values();
    }

    private MergeStep step() {
        MergeStep now = step;
        if (now == null) {
            throw new IllegalStateException("no tokens are merged");
        }
        return now;
    }

    /** The lower layer has run: holds what the upper one will merge {@code merged} tokens of. */
    void beginLower(TokenStates states, int merged) {
        MergeStep now = step == null ? pairs.takeStep() : step;
        step = now;
        now.begin(lower.merged(), merged);
        now.take(0, states, lower.waiting());
    }

    /** The upper layer has run. */
    void beginUpper(TokenStates states) {
        step().take(1, states, upper.waiting());
        directions.begin(step(), new NoQueries(step().count()));
        for (int part = 0; part < settled.length; part++) {
            settled[part] = store(part).settled();
        }
        pairs.rotary().ifPresent(table -> table.reach(upper.merged() + step().count()));
    }

    /** Brings a side of a head of a layer together: what waited in the window, then the step's own tokens, rounded. */
    void load(NewestTokens window, int index, int part, int waiting, int tokens, Scratch scratch) {
        int side = part % 2;
        int kvHead = part / 2;
        float[] rows = step().rows(index, side);
        window.copy(side, kvHead, rows, step().offset(0, kvHead), step().width(), scratch);
        for (int t = waiting; t < waiting + tokens; t++) {
            Element.F16.round(rows, step().offset(t, kvHead), plan.headDim());
        }
    }

    /** Merges a side of a head, stores it, and leaves what is left of both layers in their windows. */
    void merge(int part, int left, Scratch scratch) {
        MergeStep now = step();
        int side = part % 2;
        int kvHead = part / 2;
        int row = row(part);
        float[] lengths = scratch.lanes(2);
        for (int t = 0; t < now.count(); t++) {
            int at = now.offset(t, kvHead);
            double angle = plan.direction()
                    .merge(
                            now.rows(0, side),
                            at,
                            now.rows(1, side),
                            at,
                            plan.headDim(),
                            now.directions(side),
                            at,
                            lengths);
            now.angle(side, kvHead, t, angle);
            // As they are until the directions settle, which most do at once: rounded in both cases, so that it makes
            // no difference.
            lower.content().lengths().set(row, now.firstPosition() + t, lengths[0]);
            upper.content().lengths().set(row, now.firstPosition() + t, lengths[1]);
        }
        if (side == 0 && plan.beforeRope()) {
            turnBack(now, kvHead);
        }
        directions.append(part, scratch);
        settle(part, scratch);
        for (int i = 0; i < 2; i++) {
            PairLayer of = i == 0 ? lower : upper;
            of.content().window().takeAll(side, kvHead);
            int at = now.offset(now.count(), kvHead);
            of.content().window().append(side, kvHead, now.rows(i, side), at, now.width(), left, scratch);
        }
    }

    /** Directions as they were before the rotary embedding, which turns both layers' keys alike. */
    private void turnBack(MergeStep now, int kvHead) {
        RotaryTable table = pairs.rotary().orElseThrow();
        float[] keys = now.directions(0);
        int half = plan.headDim() / 2;
        for (int t = 0; t < now.count(); t++) {
            int position = now.firstPosition() + t;
            float[] cosines = table.cosines(position);
            float[] sines = table.sines(position);
            int angles = table.offset(position);
            int at = now.offset(t, kvHead);
            for (int i = 0; i < half; i++) {
                float a = keys[at + i];
                float b = keys[at + half + i];
                keys[at + i] = a * cosines[angles + i] + b * sines[angles + i];
                keys[at + half + i] = b * cosines[angles + i] - a * sines[angles + i];
            }
        }
    }

    /** Divides the lengths of the tokens that have got their final form by the length of that form. */
    private void settle(int part, Scratch scratch) {
        int from = settled[part];
        int to = store(part).settled();
        // By tiles, so that the buffers stay small.
        for (int slot = from; slot < to; slot += Scratch.TILE) {
            int end = Math.min(to, slot + Scratch.TILE);
            float[] norms = part % 2 == 0
                    ? StoredNorms.keys(directions.keys(part / 2), plan.headDim(), slot, end, scratch)
                    : StoredNorms.values(directions.values(part / 2), plan.headDim(), slot, end, scratch);
            for (int t = slot; t < end; t++) {
                if (norms[t - slot] > 0) {
                    divide(lower, part, t, norms[t - slot]);
                    divide(upper, part, t, norms[t - slot]);
                }
            }
        }
    }

    private void divide(PairLayer of, int part, int slot, float divisor) {
        TokenScalars lengths = of.content().lengths();
        lengths.set(row(part), slot, lengths.get(row(part), slot) / divisor);
    }

    /** Lengths of keys come first, then those of values. */
    private int row(int part) {
        return part % 2 * plan.kvHeads() + part / 2;
    }

    /** All sides are merged: decides which tokens are kept, whose directions then weigh nothing. */
    void endUpper() {
        MergeStep now = step();
        count(now);
        kept.keep(now, aside);
        aside.close();
        for (int side = 0; side < 2; side++) {
            for (int h = 0; h < plan.kvHeads(); h++) {
                for (int t = 0; t < now.count(); t++) {
                    if (kept.keeps(now, side, h, t)) {
                        lower.content().lengths().set(side * plan.kvHeads() + h, now.firstPosition() + t, 0);
                        upper.content().lengths().set(side * plan.kvHeads() + h, now.firstPosition() + t, 0);
                    }
                }
            }
        }
        lower.endMerge(now.count());
        upper.endMerge(now.count());
        pairs.giveBack(now);
        step = null;
    }

    private void count(MergeStep now) {
        boolean first = cosineCount == 0;
        for (int side = 0; side < 2; side++) {
            for (int h = 0; h < plan.kvHeads(); h++) {
                for (int t = 0; t < now.count(); t++) {
                    cosines[side] += Math.cos(now.angle(side, h, t));
                }
            }
        }
        cosineCount += (long) now.count() * plan.kvHeads();
        double least = Math.min(meanCosine(0), meanCosine(1));
        if (first && plan.minCosine() > 0 && least < plan.minCosine()) {
            throw new InvalidInputException(String.format(
                    Locale.ROOT,
                    "minicache: layers %d and %d agree to a mean cosine of %.3f for keys and %.3f for values, allowed by"
                            + " minCosine are %s and more; a larger start leaves them alone",
                    layer,
                    layer + 1,
                    meanCosine(0),
                    meanCosine(1),
                    plan.minCosine()));
        }
    }
}
