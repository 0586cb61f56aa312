package dev.kvasir.cache.attention;

/**
 * Sees attention weights after the softmax: importance is made from them. The weights come from a second, light pass over
 * the keys with the final sums of the first, tile by tile; no matrix of weights ever exists.
 *
 * <p>Heads may be observed at the same time on several threads; the calls for one head come in a fixed order.
 */
public interface WeightObserver {
    /** A step of {@code count} tokens begins, with {@code stored} slots before it. */
    void begin(int stored, int count);

    /** Whether the weights of a token of the step, counted from 0, are wanted. */
    boolean wants(int token);

    /** First stored slot whose weights are wanted; the step's own tokens always are. */
    default int fromSlot() {
        return 0;
    }

    /** The slot after the last stored one whose weights are wanted. Where a step is stored first, its tokens are stored slots. */
    int toSlot();

    /**
     * The weights that a token of the step gave to {@code count} slots, summed over the query heads of a KV head.
     *
     * @param slot of the first weight; the step's own tokens have the slots after those stored
     */
    void observe(int kvHead, int token, float[] weights, int offset, int slot, int count);

    /** Whether {@link #observeScores} is called in place of {@link #observe}. */
    default boolean wantsScores() {
        return false;
    }

    /**
     * The scores that one query head of a token gave to {@code count} slots: the weight of a slot is {@code exp(score -
     * logSum)}.
     *
     * @param queryHead within its KV head
     * @param slot of the first score, as for weights
     */
    default void observeScores(
            int kvHead, int queryHead, int token, float[] scores, int offset, int slot, int count, float logSum) {}
}
