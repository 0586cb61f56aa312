package dev.kvasir.lab.accuracy;

import dev.kvasir.lab.task.Sample;
import dev.kvasir.lab.task.Span;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A document as tokens, with the tokens that are answers.
 *
 * @param ids the document up to the end of its last answer
 * @param answers ascending; an answer's tokens are those that share a character with its span
 * @param prefill tokens fed as one step; ends at least one token before the first answer
 */
record AskedSample(int[] ids, List<TokenRange> answers, int prefill) {
    /** Tokens {@code [start, end)}. */
    record TokenRange(int start, int end) {}

    /**
     * Aligns the last {@code most} answers of {@code sample} with its tokens and leaves {@code probe} tokens before
     * them out of the prefill.
     */
    static AskedSample of(Sample sample, Tokenizer.Encoding encoding, int most, int probe) {
        List<Span> spans = sample.answers();
        List<TokenRange> ranges = new ArrayList<>();
        int token = 0;
        for (Span span : spans.subList(Math.max(0, spans.size() - most), spans.size())) {
            while (token < encoding.ids().length && encoding.ends()[token] <= span.start()) {
                token++;
            }
            int start = token;
            while (token < encoding.ids().length && encoding.starts()[token] < span.end()) {
                token++;
            }
            // The first token of a text is predicted by nothing, so an answer there cannot be asked.
            if (start > 0 && token > start) {
                ranges.add(new TokenRange(start, token));
            }
        }
        if (ranges.isEmpty()) {
            return new AskedSample(new int[0], List.of(), 0);
        }
        int[] ids = Arrays.copyOf(encoding.ids(), ranges.getLast().end());
        return new AskedSample(
                ids, List.copyOf(ranges), Math.max(0, ranges.getFirst().start() - probe));
    }
}
