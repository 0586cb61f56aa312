package dev.kvasir.engine;

import dev.kvasir.cache.KvCache;

/** The part of a decoder that generation needs: one step of tokens through a model. */
@FunctionalInterface
public interface StepFunction {
    /**
     * Feeds {@code tokens[from]} to {@code tokens[from + count - 1]} as one step, reserving their memory in the cache, and
     * writes the logits of the last one.
     *
     * @param logits receives {@code [vocabularySize]}
     * @throws dev.kvasir.cache.CacheBudgetException if the cache cannot hold them; it is then as it was before
     */
    void forward(KvCache cache, int[] tokens, int from, int count, float[] logits);
}
