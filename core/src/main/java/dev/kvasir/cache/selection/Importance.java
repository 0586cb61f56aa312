package dev.kvasir.cache.selection;

import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.WeightObserver;
import java.util.Optional;

/** A number for each candidate of each head that says how much it matters, from the attention that it gets. */
public interface Importance {
    /** Whether it adds up over steps: the number is then kept beside each token. */
    default boolean isHistory() {
        return false;
    }

    /** A step comes; not called inside a worker's part. */
    void open(TokenStates states);

    /** Who sees the step's attention; nobody where nothing can go. */
    Optional<WeightObserver> observer();

    /** Writes the importance of all candidates of a head, once the step was observed; once a step. */
    void of(int kvHead, float[] out);

    /** Writes the importance of all candidates to one query head of a KV head, after {@link #of}, where it tells them apart. */
    default void ofQueryHead(int kvHead, int queryHead, float[] out) {
        throw new IllegalStateException("importance is of a KV head");
    }
}
