package dev.kvasir.lab.accuracy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.lab.task.Split;

/**
 * How a task is asked in turns or requests.
 *
 * @param samples documents, numbered from {@code firstIndex}
 * @param tokens most tokens of a document with all its questions and answers
 * @param turns questions asked of each document
 * @param split which documents
 * @param firstIndex number of the first document, the seed of the run
 */
public record TurnOptions(int samples, int tokens, int turns, Split split, long firstIndex) {
    /** Turns unless asked otherwise: the first question and another. */
    public static final int TURNS = 2;

    /** SCBench asks five; more questions than a default document has would not be asked. */
    public static final int MOST_TURNS = 8;

    /** Checks the ranges. */
    public TurnOptions {
        check("samples", samples, 1, Integer.MAX_VALUE);
        check("task tokens", tokens, 8, Integer.MAX_VALUE);
        check("turns", turns, 1, MOST_TURNS);
    }

    private static void check(String option, int value, int least, int most) {
        if (value < least || value > most) {
            String allowed = most == Integer.MAX_VALUE ? "at least " + least : least + " to " + most;
            throw new InvalidInputException(option + ": " + value + ", allowed is " + allowed);
        }
    }
}
