package dev.kvasir.cache;

/**
 * One layer of one sequence: takes the tokens' states, answers with attention.
 *
 * <p>A step is one {@link #append} followed by one {@link #attend} for the same tokens. The step's tokens attend to each
 * other (causally) through their exact keys and values and to all earlier tokens through what is stored; compression
 * happens at the end of {@code attend}. A prompt given as one step therefore sees itself uncompressed; a prompt cut into
 * chunks reads earlier chunks compressed. Where {@link KvCache#storesFirst} says so, compression comes first.
 */
public interface LayerCache {
    /** Takes the states of the next tokens. Nothing is compressed yet. */
    void append(TokenStates states);

    /**
     * Attends for the tokens just appended, then stores them.
     *
     * @param output receives {@code [count][heads][headDim]}
     */
    void attend(Queries queries, float[] output);

    /**
     * Stores the tokens just appended, as {@link #attend} does, for a caller who does not want their attention: it is computed
     * only where what is stored depends on it.
     *
     * @param output room for {@code [count][heads][headDim]}; what it holds afterwards means nothing
     */
    default void store(Queries queries, float[] output) {
        attend(queries, output);
    }
}
