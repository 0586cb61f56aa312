package dev.kvasir.train.heads;

import dev.kvasir.lab.task.Sample;
import dev.kvasir.lab.task.Span;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A prompt with its gold answer.
 *
 * @param ids the prompt, then the answer
 * @param prompt tokens of the prompt; it ends before the token that predicts the answer's first, so that all that reads the
 *     prompt for the answer is in the answer
 */
record HeadExample(int[] ids, int prompt) {
    /** A document whose last {@code most} answers, with what is asked between them, are the answer; empty if it asks nothing. */
    static Optional<HeadExample> of(Sample sample, Tokenizer.Encoding encoding, int most) {
        List<Span> answers = sample.answers();
        if (answers.isEmpty()) {
            return Optional.empty();
        }
        int first = tokenAt(
                encoding, answers.get(Math.max(0, answers.size() - most)).start());
        int end = first;
        while (end < encoding.ids().length
                && encoding.starts()[end] < answers.getLast().end()) {
            end++;
        }
        // A monitor of a tenth of the prompt wants more than a few tokens of it.
        if (first < 32 || end <= first) {
            return Optional.empty();
        }
        return Optional.of(new HeadExample(Arrays.copyOf(encoding.ids(), end), first - 1));
    }

    private static int tokenAt(Tokenizer.Encoding encoding, int character) {
        int token = 0;
        while (token < encoding.ids().length && encoding.ends()[token] <= character) {
            token++;
        }
        return token;
    }

    /** Tokens of the answer. */
    int answer() {
        return ids.length - prompt;
    }
}
