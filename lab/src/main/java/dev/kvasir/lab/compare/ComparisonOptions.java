package dev.kvasir.lab.compare;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.accuracy.TaskOptions;
import dev.kvasir.lab.accuracy.TurnOptions;
import dev.kvasir.lab.bench.SpeedOptions;
import dev.kvasir.lab.perplexity.PerplexityOptions;
import dev.kvasir.lab.task.Split;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What is compared and how much is measured.
 *
 * @param caches one row each, in this order; the reference comes first whether named or not
 * @param reference the exact cache
 * @param skipUnfit whether a cache this model cannot use is left out with its reason instead of ending the run
 * @param text how the text is read
 * @param tasks names of exams: tasks, each with the way it is asked; may be empty
 * @param asked how tasks are asked
 * @param inTurns how tasks are asked in turns or requests
 * @param speed what is timed
 * @param seed that all generated text, tasks and tokens come from
 */
public record ComparisonOptions(
        List<CacheSpec> caches,
        CacheSpec reference,
        boolean skipUnfit,
        PerplexityOptions text,
        List<String> tasks,
        TaskOptions asked,
        TurnOptions inTurns,
        SpeedOptions speed,
        long seed) {
    /** Answers asked of one document: few, since those of one document are not independent. */
    public static final int ANSWERS = 4;

    /** Tokens before the first asked answer that are read from the cache. */
    public static final int PROBE = 16;

    /** Documents asked in turns for each document of a task: a turn is one question, and the later ones hang on the first. */
    private static final int TURN_SAMPLES = 2;

    /** Generated documents one seed can use before it meets the next seed's. */
    private static final int DOCUMENTS_PER_SEED_BITS = 20;

    /** Puts the reference first, once. */
    public ComparisonOptions {
        List<CacheSpec> all = new ArrayList<>();
        all.add(reference);
        for (CacheSpec cache : caches) {
            if (!all.contains(cache)) {
                all.add(cache);
            }
        }
        caches = List.copyOf(all);
        tasks = List.copyOf(tasks);
    }

    /**
     * The options of an effort.
     *
     * @param caches empty for the default ones, of which those the model cannot use are skipped
     * @param context tokens of a window, at most the model's context
     * @param tasks names of the exams
     * @param turns questions of a task that is asked in turns or requests
     */
    public static ComparisonOptions of(
            Effort effort, int context, List<CacheSpec> caches, List<String> tasks, int turns, long seed) {
        return of(
                effort, context, caches.isEmpty() ? DefaultCaches.all() : caches, caches.isEmpty(), tasks, turns, seed);
    }

    /**
     * The options of an effort.
     *
     * @param skipUnfit whether caches that the model cannot use are left out
     */
    public static ComparisonOptions of(
            Effort effort,
            int context,
            List<CacheSpec> caches,
            boolean skipUnfit,
            List<String> tasks,
            int turns,
            long seed) {
        if (context < 16) {
            throw new InvalidInputException("context: " + context + " tokens, a comparison needs at least 16");
        }
        int decode = Math.min(effort.decode(), context / 4);
        int deepest = context - decode;
        List<Integer> depths = IntStream.of(0, deepest / 4, deepest / 2, deepest)
                .distinct()
                .boxed()
                .toList();
        int taskTokens = Math.min(effort.taskTokens(), context);
        return new ComparisonOptions(
                caches,
                DefaultCaches.reference(),
                skipUnfit,
                new PerplexityOptions(context, context / 2, effort.windows()),
                tasks,
                new TaskOptions(effort.samples(), taskTokens, ANSWERS, PROBE, Split.TEST, firstDocument(seed)),
                new TurnOptions(TURN_SAMPLES * effort.samples(), taskTokens, turns, Split.TEST, firstDocument(seed)),
                new SpeedOptions(context / 2, depths, decode, effort.repetitions(), SpeedOptions.FILL_CHUNK, seed),
                seed);
    }

    /** Number of the first generated document of a seed. */
    public static long firstDocument(long seed) {
        return (seed & (-1L >>> (DOCUMENTS_PER_SEED_BITS + 1))) << DOCUMENTS_PER_SEED_BITS;
    }
}
