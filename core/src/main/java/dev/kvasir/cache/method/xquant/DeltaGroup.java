package dev.kvasir.cache.method.xquant;

import dev.kvasir.cache.attention.LayerGroup;
import dev.kvasir.cache.store.Accumulator;
import java.util.List;

/**
 * The layers of XQuant-CL that add to one sum: it is passed on from each to the next within a step.
 *
 * @param layers the first one starts the sum
 * @param sum of all of them
 */
record DeltaGroup(List<DeltaLayer> layers, Accumulator sum) implements LayerGroup {
    @Override
    public DeltaGroup fork() {
        Accumulator other = sum.fork();
        return new DeltaGroup(layers.stream().map(layer -> layer.fork(other)).toList(), other);
    }
}
