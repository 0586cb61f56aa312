package dev.kvasir.lab.accuracy;

/** How the questions of a document are put to a model. */
public enum Way {
    /**
     * One after another behind a document that was read without them: what stands before the first is fed as one step,
     * the rest token by token ({@link TaskScore}).
     */
    ANSWERS,
    /**
     * In turns of one conversation: the first question is part of the prompt that the cache compresses, the next is asked
     * of the same cache ({@link TurnScore}; SCBench's multi-turn mode, arXiv 2412.10319).
     */
    TURNS,
    /**
     * Each on its own of a document that was compressed before any question was known ({@link TurnScore}; SCBench's
     * multi-request mode).
     */
    REQUESTS
}
