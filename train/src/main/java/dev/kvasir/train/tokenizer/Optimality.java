package dev.kvasir.train.tokenizer;

/** What is known of a vocabulary among all of its size; how it cuts a word is optimal for a unigram model either way. */
public enum Optimality {
    /** Proven: no other vocabulary of at most this size makes the training text more likely. */
    OPTIMAL,
    /** Found by a search that proves nothing. */
    HEURISTIC
}
