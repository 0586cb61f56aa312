package dev.kvasir.train;

import java.util.Map;
import java.util.stream.Collectors;

/** What an evaluation on the test split measured, by source. */
public record EvaluationReport(Map<String, Score> scores) {
    /**
     * One source.
     *
     * @param nats mean negative log-likelihood of the predictions that count
     * @param bitsPerByte the same over the bytes of their text; says something only where the whole text counts
     * @param accuracy share of answers whose every token is the arg max; NaN where nothing is asked
     * @param answers asked
     */
    public record Score(double nats, double bitsPerByte, double accuracy, int answers) {
        /** Whether this is a plain text, of which every token counts. */
        public boolean wholeText() {
            return answers == 0;
        }
    }

    /** One line: accuracy where something is asked, bits per byte elsewhere. */
    public String line() {
        return scores.entrySet().stream()
                .map(e -> e.getValue().answers() > 0
                        ? "%s %.1f %%".formatted(e.getKey(), 100 * e.getValue().accuracy())
                        : "%s %.3f bpb".formatted(e.getKey(), e.getValue().bitsPerByte()))
                .collect(Collectors.joining(", "));
    }
}
