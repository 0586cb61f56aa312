package dev.kvasir.lab.task;

/** An endless, reproducible source of documents with marked answers. */
public interface Task {
    /** The name it is asked for by, in lower case. */
    String name();

    /**
     * Document number {@code index} of a split; equal arguments give equal documents.
     *
     * @param tokens the most tokens the document may have by {@code counter}; it has at least 90 % of them when
     *     {@code tokens >= 64} and one token of {@code counter} is about a word or less
     * @throws dev.kvasir.InvalidInputException if not even the shortest document fits in {@code tokens}
     */
    Sample sample(Split split, long index, int tokens, TokenCounter counter);

    /**
     * This task with at most {@code questions} questions in a document, where they stand together behind what they are
     * about; this task itself where they do not.
     *
     * @throws dev.kvasir.InvalidInputException if that is more than a document can have
     */
    default Task asking(int questions) {
        return this;
    }
}
