package dev.kvasir.lab.task;

import java.util.List;

/**
 * A document with the places where a model is asked something.
 *
 * @param text the document; every word is preceded by a space, lines end in a newline
 * @param answers ascending, disjoint, inside {@code text}; each starts with the space before its first word
 */
public record Sample(String text, List<Span> answers) {
    public Sample {
        answers = List.copyOf(answers);
        int end = 0;
        for (Span answer : answers) {
            if (answer.start() < end || answer.end() > text.length() || text.charAt(answer.start()) != ' ') {
                throw new IllegalArgumentException(answer + " overlaps another, leaves the text or has no space first");
            }
            end = answer.end();
        }
    }

    /** Where the question that {@code answer} answers begins: with the line the answer stands on. */
    public int questionStart(Span answer) {
        return text.lastIndexOf('\n', answer.start() - 1) + 1;
    }

    /** The text of one answer, with its leading space. */
    public String answer(Span span) {
        return text.substring(span.start(), span.end());
    }
}
