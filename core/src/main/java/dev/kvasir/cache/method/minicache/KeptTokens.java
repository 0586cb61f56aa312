package dev.kvasir.cache.method.minicache;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeptRows;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.cache.transform.SharedDirection;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The retention sets of a pair: the tokens whose keys, or values, are kept exact in both layers, and who decides. */
final class KeptTokens {
    private final Plan plan;
    /** Keys, then values; where heads decide by themselves, those of each head in turn. */
    private final List<KeptRows> sets;

    private final List<Retention> deciders;

    /** Whose tokens a set is. */
    enum Scope {
        /** Of all heads, keys and values apart. */
        TOKEN,
        /** Of all heads, the keys' tokens for values too. */
        SHARED,
        /** Of each head, keys and values apart. */
        HEAD
    }

    KeptTokens(Plan plan, PagePool pool, Kernels kernels) {
        this(plan, new ArrayList<>(), new ArrayList<>());
        for (int i = 0; i < 2 * plan.setsPerSide(); i++) {
            sets.add(new KeptRows(pool, kernels, plan.headDim(), plan.headsPerSet(), 2));
            deciders.add(new Retention(plan.retention()));
        }
    }

    private KeptTokens(Plan plan, List<KeptRows> sets, List<Retention> deciders) {
        this.plan = plan;
        this.sets = sets;
        this.deciders = deciders;
    }

    private int set(int side, int kvHead) {
        return side * plan.setsPerSide() + kvHead / plan.headsPerSet();
    }

    /** The bytes of {@code tokens} tokens kept in every set. */
    static long bytes(Plan plan, int tokens) {
        return 2L * plan.setsPerSide() * tokens * KeptRows.tokenBytes(plan.headDim(), plan.headsPerSet(), 2);
    }

    /** How many tokens the set of a side of a head keeps. */
    int count(int side, int kvHead) {
        return sets.get(set(side, kvHead)).count();
    }

    /** The slot of the {@code i}th token that a side of a head keeps. */
    int slot(int side, int kvHead, int i) {
        return sets.get(set(side, kvHead)).slot(i);
    }

    KeyReader keys(int layer, int kvHead, KeyReader inner) {
        return sets.get(set(0, kvHead)).keys(layer, kvHead % plan.headsPerSet(), inner);
    }

    ValueReader values(int layer, int kvHead, ValueReader inner) {
        return sets.get(set(1, kvHead)).values(layer, kvHead % plan.headsPerSet(), inner);
    }

    /** Decides on the tokens of a step, and keeps those that stay. */
    void keep(MergeStep step, PagePool.Claim claim) {
        boolean[] previous = {};
        for (int i = 0; i < sets.size(); i++) {
            int side = i / plan.setsPerSide();
            int head = i % plan.setsPerSide() * plan.headsPerSet();
            boolean[] retained = step.retained(i);
            if (plan.scope() == KeptTokens.Scope.SHARED && side == 1) {
                System.arraycopy(previous, 0, retained, 0, step.count());
            } else {
                decide(i, side, head, step, retained);
            }
            previous = retained;
            KeptRows rows = sets.get(i);
            for (int t = 0; t < step.count(); t++) {
                if (retained[t]) {
                    int at = step.offset(t, head);
                    rows.add(step.firstPosition() + t, claim);
                    rows.set(0, step.rows(0, side), at);
                    rows.set(1, step.rows(1, side), at);
                }
            }
        }
    }

    private void decide(int set, int side, int head, MergeStep step, boolean[] retained) {
        double[] distances = step.distances();
        Arrays.fill(distances, 0, step.count(), 0.0);
        Arrays.fill(retained, 0, step.count(), false);
        for (int h = head; h < head + plan.headsPerSet(); h++) {
            for (int t = 0; t < step.count(); t++) {
                distances[t] += step.angle(side, h, t) / Math.PI / plan.headsPerSet();
                retained[t] |= SharedDirection.opposed(step.angle(side, h, t))
                        || (plan.scope() == KeptTokens.Scope.SHARED && SharedDirection.opposed(step.angle(1, h, t)));
            }
        }
        for (int t = 0; t < step.count(); t++) {
            // Sums of parts of 1 may miss it.
            distances[t] = Math.clamp(distances[t], 0.0, 1.0);
        }
        deciders.get(set)
                .decide(
                        distances,
                        step.count(),
                        step.firstPosition(),
                        sets.get(set).count(),
                        retained);
    }

    /** Whether a step's token is in the set of a side of a head, once {@link #keep} has decided. */
    boolean keeps(MergeStep step, int side, int kvHead, int token) {
        return step.retained(set(side, kvHead))[token];
    }

    int smallestSize() {
        int smallest = 0;
        for (Retention decider : deciders) {
            smallest = Math.max(smallest, decider.smallestSize());
        }
        return smallest;
    }

    void truncate(int size) {
        sets.forEach(set -> set.truncate(size));
        deciders.forEach(decider -> decider.truncate(size));
    }

    Footprint footprint() {
        Footprint sum = Footprint.ZERO;
        for (KeptRows set : sets) {
            sum = sum.plus(set.footprint());
        }
        return sum;
    }

    KeptTokens fork() {
        return new KeptTokens(
                plan,
                sets.stream().map(KeptRows::fork).toList(),
                deciders.stream().map(Retention::fork).toList());
    }

    void write(DataOutput out) throws IOException {
        for (int i = 0; i < sets.size(); i++) {
            sets.get(i).write(out);
            if (decides(i)) {
                deciders.get(i).write(out);
            }
        }
    }

    void read(DataInput in, int size) throws IOException {
        for (int i = 0; i < sets.size(); i++) {
            sets.get(i).read(in, size);
            if (decides(i)) {
                deciders.get(i).read(in, size);
            }
        }
    }

    private boolean decides(int set) {
        return plan.scope() != KeptTokens.Scope.SHARED || set == 0;
    }

    void release() {
        sets.forEach(KeptRows::release);
    }
}
