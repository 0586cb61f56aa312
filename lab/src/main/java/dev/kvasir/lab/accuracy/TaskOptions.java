package dev.kvasir.lab.accuracy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.lab.task.Split;

/**
 * How a task is asked.
 *
 * @param samples documents, numbered from {@code firstIndex}
 * @param tokens most tokens of a document
 * @param answers most answers asked of a document: its last ones; the earlier are given as text
 * @param probe tokens before the first asked answer that are read from the cache one by one; all earlier ones are the
 *     prompt. With 0 the first token of the first answer would be predicted from the uncompressed prompt
 * @param split which documents
 * @param firstIndex number of the first document, the seed of the run
 */
public record TaskOptions(int samples, int tokens, int answers, int probe, Split split, long firstIndex) {
    /** Checks the ranges. */
    public TaskOptions {
        atLeast("samples", samples, 1);
        atLeast("task tokens", tokens, 8);
        atLeast("answers", answers, 1);
        atLeast("probe", probe, 1);
    }

    private static void atLeast(String option, int value, int least) {
        if (value < least) {
            throw new InvalidInputException(option + ": " + value + ", at least " + least + " is needed");
        }
    }
}
