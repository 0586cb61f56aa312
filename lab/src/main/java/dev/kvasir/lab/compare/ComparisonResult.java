package dev.kvasir.lab.compare;

import dev.kvasir.lab.accuracy.TaskResult;
import dev.kvasir.lab.bench.SpeedResult;
import dev.kvasir.lab.info.ModelInfo;
import dev.kvasir.lab.metric.Proportion;
import dev.kvasir.lab.perplexity.PerplexityResult;
import java.util.List;
import java.util.Optional;

/**
 * One model under several caches.
 *
 * @param date when it began, ISO 8601 with offset
 * @param seconds how long it took
 * @param text what was read
 * @param context tokens of a window of the text
 * @param prefill tokens of it fed as one step
 * @param rows the exact cache first
 * @param skipped caches this model cannot use
 */
public record ComparisonResult(
        ModelInfo model,
        Machine machine,
        String date,
        double seconds,
        long seed,
        String text,
        int context,
        int prefill,
        List<Row> rows,
        List<Skipped> skipped) {
    /**
     * One cache.
     *
     * @param reference whether this is the exact cache that the others are held against
     * @param bytesPerToken bytes allocated at the end of a window, for each of its tokens
     * @param tasks one entry per task and way to ask it
     * @param accuracy answers of all tasks together that were not asked in turns; absent where none were
     * @param lastTurn answers to the last question of all tasks that were asked in turns; absent where none were
     */
    public record Row(
            String cache,
            boolean reference,
            double bytesPerToken,
            PerplexityResult quality,
            List<TaskResult> tasks,
            Optional<Proportion> accuracy,
            Optional<Proportion> lastTurn,
            SpeedResult speed) {}

    /** A cache that was left out, and why. */
    public record Skipped(String cache, String reason) {}
}
