package dev.kvasir.lab.step;

import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.Reads;

/** One text on its way through a model, remembered in one cache. */
public interface Sequence extends AutoCloseable {
    /** The cache as it was asked for. */
    CacheSpec spec();

    /** Tokens fed so far. */
    int length();

    /**
     * Feeds {@code count} tokens as one step: they see each other exactly and everything earlier through the cache.
     *
     * @param logits receives those of the last token, {@code [vocabularySize]}
     */
    void feed(int[] tokens, int from, int count, float[] logits);

    /** Bytes the cache holds now. */
    Footprint footprint();

    /** Bits the cache holds now for each element of K and V; 0 while it is empty. */
    double bitsPerElement();

    /** What its steps of one token have read, of a cache that reads only some tokens; a fork counts from nothing. */
    default Reads reads() {
        return Reads.NONE;
    }

    /** A second sequence that stands where this one does. */
    Sequence fork();

    @Override
    void close();
}
