package dev.kvasir.lab.step;

import dev.kvasir.cache.CacheSpec;
import java.util.List;

/** A model that can run sequences through any cache; all sequences of one model are used by one thread. */
public interface StepModel {
    /** Logits of one token. */
    int vocabularySize();

    /** Most tokens a sequence may have. */
    int contextLength();

    /**
     * An empty sequence whose keys and values live in the cache {@code spec} names.
     *
     * @throws dev.kvasir.KvasirException if there is no such cache, or not for this model
     */
    Sequence open(CacheSpec spec);

    /**
     * The same cache with every option in its canonical form, so that two ways to write one cache are equal.
     *
     * @throws dev.kvasir.KvasirException if there is no such cache
     */
    default CacheSpec complete(CacheSpec spec) {
        return spec;
    }

    /**
     * Runs the model over a prompt, as one step, and keeps what its layers computed.
     *
     * @throws dev.kvasir.KvasirException if this model cannot
     */
    Recording record(int[] tokens, int from, int count);

    /** A prompt whose keys and values can be given to caches again, at other positions. */
    interface Recording {
        /** Stores {@code count} more tokens in a sequence, as one step, without running the model. */
        void feed(Sequence sequence, int count);
    }

    /**
     * Feeds the same tokens, as one step, to several empty sequences. A model may share the work; every sequence then
     * stands as if it had been fed alone.
     */
    default void feedAll(List<Sequence> sequences, int[] tokens, int from, int count) {
        float[] logits = new float[vocabularySize()];
        for (Sequence sequence : sequences) {
            sequence.feed(tokens, from, count, logits);
        }
    }
}
