package dev.kvasir.lab.task;

/** How many tokens a text is; the count of a text should be close to the sum over its lines. */
@FunctionalInterface
public interface TokenCounter {
    /** The number of tokens of {@code text}. */
    int count(String text);
}
