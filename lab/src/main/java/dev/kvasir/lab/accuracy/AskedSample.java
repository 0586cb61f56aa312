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
    /**
     * Aligns the last {@code most} answers of {@code sample} with its tokens and leaves {@code probe} tokens before
     * them out of the prefill.
     */
    static AskedSample of(Sample sample, Tokenizer.Encoding encoding, int most, int probe) {
        List<Span> spans = sample.answers();
        List<TokenRange> ranges = new ArrayList<>();
        int token = 0;
        for (Span span : spans.subList(Math.max(0, spans.size() - most), spans.size())) {
            TokenRange range = TokenRange.of(span, encoding, token);
            token = range.end();
            // The first token of a text is predicted by nothing, so an answer there cannot be asked.
            if (range.start() > 0 && !range.isEmpty()) {
                ranges.add(range);
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
