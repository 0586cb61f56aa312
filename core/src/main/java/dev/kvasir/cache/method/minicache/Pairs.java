package dev.kvasir.cache.method.minicache;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.attention.HeadStores;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.attention.LayerGroup;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.tensor.RotaryTable;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Makes the layers of a cache and its forks: pairs from the first merged layer on, and layers alone, both stored by the same method. */
final class Pairs implements LayerFactory {
    private final Plan plan;
    private final HeadFactory directions;
    private final Optional<RotaryTable> rotary;
    /** Buffers of steps, as many as caches and forks have merged at the same time. */
    private final ConcurrentLinkedQueue<MergeStep> steps = new ConcurrentLinkedQueue<>();

    Pairs(Plan plan, CacheModel model) {
        this.plan = plan;
        directions = plan.directions(model);
        rotary = plan.beforeRope() ? Optional.of(model.rotary()) : Optional.empty();
    }

    @Override
    public LayerGroup group(int layer, PagePool pool, Kernels kernels) {
        int stored = plan.pairsFrom(layer) ? layer + 1 : layer;
        HeadStores stores = HeadStores.empty(plan.shape(), directions, stored, pool, kernels);
        return plan.pairsFrom(layer) ? new Pair(this, layer, pool, kernels, stores) : stores;
    }

    Plan plan() {
        return plan;
    }

    /** The rotary embedding, where directions of keys are stored before it. */
    Optional<RotaryTable> rotary() {
        return rotary;
    }

    MergeStep takeStep() {
        MergeStep step = steps.poll();
        return step == null ? new MergeStep(plan.kvHeads(), plan.headDim(), 2 * plan.setsPerSide()) : step;
    }

    void giveBack(MergeStep step) {
        if (step.isSmall()) {
            steps.add(step);
        }
    }
}
