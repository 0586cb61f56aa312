package dev.kvasir.lab.accuracy;

import dev.kvasir.lab.task.Sample;
import dev.kvasir.lab.task.Span;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A document as tokens, cut into a context and turns.
 *
 * <pre>
 * context ... | question | answer | question | answer
 *             ^ turns[0].question  ^ turns[1].question: the rest of the line before it belongs to the next question
 * </pre>
 *
 * @param ids the document up to the end of its last answer
 * @param turns ascending; empty if the document has fewer answers than turns were asked for, or two on one line
 */
record TurnSample(int[] ids, List<Turn> turns) {
    /**
     * A question and its answer.
     *
     * @param question first token of the question's line
     * @param answer tokens of the answer; at least one of the question's stands before them
     */
    record Turn(int question, TokenRange answer) {}

    /** The last {@code turns} answers of {@code sample} with the questions before them, aligned with its tokens. */
    static TurnSample of(Sample sample, Tokenizer.Encoding encoding, int turns) {
        List<Span> spans = sample.answers();
        if (spans.size() < turns) {
            return new TurnSample(new int[0], List.of());
        }
        List<Turn> aligned = new ArrayList<>();
        int token = 0;
        int character = 0;
        for (Span span : spans.subList(spans.size() - turns, spans.size())) {
            TokenRange answer = TokenRange.of(span, encoding, token);
            int question = firstFrom(sample.questionStart(span), encoding, token);
            if (sample.questionStart(span) < character || answer.isEmpty() || question >= answer.start()) {
                return new TurnSample(new int[0], List.of());
            }
            aligned.add(new Turn(question, answer));
            token = answer.end();
            character = span.end();
        }
        return new TurnSample(Arrays.copyOf(encoding.ids(), token), List.copyOf(aligned));
    }

    /** The first token at or after {@code from} that begins at {@code character} or later: one across it is context. */
    private static int firstFrom(int character, Tokenizer.Encoding encoding, int from) {
        int token = from;
        while (token < encoding.ids().length && encoding.starts()[token] < character) {
            token++;
        }
        return token;
    }
}
