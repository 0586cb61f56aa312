package dev.kvasir.lab.info;

import dev.kvasir.KvasirException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What one cache would need for a model, by its formula.
 *
 * @param contexts one entry per context asked for; empty where the model cannot use the cache
 * @param weightBytes made of the model's weights, beside them, once for all sequences; no part of what they need
 * @param unfit why the model cannot use it; absent where it can
 */
public record CacheEstimate(String cache, List<AtContext> contexts, long weightBytes, Optional<String> unfit) {
    /**
     * The need of one sequence.
     *
     * @param tokens of the sequence
     * @param bytes allocated
     * @param footprint the same by kind
     * @param bitsPerElement the same for each element of K and V
     */
    public record AtContext(int tokens, long bytes, Footprint footprint, double bitsPerElement) {}

    /** The needs of each of {@code caches} at each of {@code contexts}, in tokens. */
    public static List<CacheEstimate> of(List<CacheSpec> caches, CacheShape shape, List<Integer> contexts) {
        return caches.stream().map(spec -> of(spec, shape, contexts)).toList();
    }

    private static CacheEstimate of(CacheSpec spec, CacheShape shape, List<Integer> contexts) {
        List<AtContext> needs = new ArrayList<>();
        long weights;
        try {
            weights = Caches.weightBytes(spec, shape);
            for (int tokens : contexts) {
                Footprint need = Caches.estimate(spec, shape, tokens);
                needs.add(new AtContext(tokens, need.total(), need, need.bitsPerElement(shape, tokens)));
            }
        } catch (KvasirException e) {
            return new CacheEstimate(spec.toString(), List.of(), 0, Optional.of(String.valueOf(e.getMessage())));
        }
        return new CacheEstimate(spec.toString(), List.copyOf(needs), weights, Optional.empty());
    }
}
