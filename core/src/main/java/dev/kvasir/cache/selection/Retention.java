package dev.kvasir.cache.selection;

import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.WeightObserver;
import java.util.Optional;

/**
 * Decides which tokens of a layer stay. Between steps it holds nothing but the numbers kept beside the tokens; a step is
 * {@link #open}, perhaps {@link #observer}, then {@link #rank} for every head, then {@link #choose} for every head.
 */
public interface Retention {
    /** A number for each token, kept beside it and counted as its own. */
    default boolean hasHistory() {
        return false;
    }

    /** Whether later steps change the numbers of stored tokens, so that no step can be taken back. */
    default boolean changesHistory() {
        return hasHistory();
    }

    /** Numbers of a token's history: one, unless it has none or more. */
    default int historyNumbers() {
        return hasHistory() ? 1 : 0;
    }

    /** Whether stored tokens can go: only such that {@linkplain dev.kvasir.cache.attention.HeadStores#isMovable move} can be stored then. */
    boolean letsStoredGo();

    /** Whether tokens stay in the order of positions; otherwise a new token may take the slot of one that goes. */
    default boolean keepsOrder() {
        return true;
    }

    /** As {@link dev.kvasir.cache.attention.LayerStore#block}. */
    default int block(int position, int count) {
        return count;
    }

    /**
     * Slots of each head after a step, which depends on these numbers alone; the most that a head may have where {@link
     * #headsDiffer}.
     *
     * @param stored slots before it
     * @param seen tokens seen before it
     * @param count tokens of the step
     */
    int sizeAfter(int stored, int seen, int count);

    /** Whether heads of a layer may keep different numbers of tokens. */
    default boolean headsDiffer() {
        return false;
    }

    /** Whether stored tokens may go after such a step. */
    default boolean mayLetGo(int stored, int seen, int count) {
        return sizeAfter(stored, seen, count) < stored + count;
    }

    /** A step comes, or a block of one; not called inside a worker's part. */
    void open(TokenStates states, Queries queries);

    /** As {@link dev.kvasir.cache.attention.LayerStore#probes}. */
    default boolean probes(int count) {
        return false;
    }

    /** As {@link dev.kvasir.cache.attention.LayerStore#attending}. */
    default int[] attending() {
        throw new IllegalStateException("this retention does not probe");
    }

    /** Who sees the step's attention. */
    default Optional<WeightObserver> observer() {
        return Optional.empty();
    }

    /** Makes up its mind about the candidates of a head, as far as it can without the other heads; these may come at the same time. */
    default void rank(int kvHead) {}

    /**
     * Writes the candidates of a head that stay, ascending, to {@code staying}, which has room for all; returns how many: what
     * {@link #sizeAfter} says, or fewer where {@link #headsDiffer}. Heads may come at the same time.
     */
    int choose(int kvHead, int[] staying);

    /** The number to be kept beside one of the step's own tokens, counted from 0, if it stays. */
    default float history(int kvHead, int token) {
        return 0;
    }

    /** As {@link #history}, the bits of the {@code number}th of its numbers, for histories of more than one or of whole numbers. */
    default int historyBits(int kvHead, int token, int number) {
        return Float.floatToRawIntBits(history(kvHead, token));
    }

    /** Whether a number of a history can have these bits. */
    default boolean allows(int historyBits) {
        return Float.isFinite(Float.intBitsToFloat(historyBits));
    }
}
