package dev.kvasir.model;

import dev.kvasir.cache.KvCache;
import dev.kvasir.tensor.Workers;

/** The forward pass: tokens in, logits out, everything remembered in the cache. One step at a time per decoder. */
public final class Decoder {
    /** A decoder of {@code model} whose buffers grow to the largest step seen. */
    public Decoder(Model model, Workers workers) {}

    /**
     * Feeds {@code count} tokens as one step and writes the logits of the last one.
     *
     * @param logits receives {@code [vocabularySize]}
     */
    public void forward(KvCache cache, int[] tokens, int from, int count, float[] logits) {
        throw new UnsupportedOperationException();
    }

    /** As {@link #forward}, with the logits of every token of the step, {@code [count][vocabularySize]}. */
    public void forwardAll(KvCache cache, int[] tokens, int from, int count, float[] logits) {
        throw new UnsupportedOperationException();
    }
}
