package dev.kvasir.lab.report;

import dev.kvasir.lab.accuracy.TaskResult;
import dev.kvasir.lab.bench.SpeedResult;
import dev.kvasir.lab.compare.ComparisonResult;
import dev.kvasir.lab.compare.ComparisonResult.Row;
import java.util.List;

/** What each figure of the report means and how it was taken. */
final class Glossary {
    private Glossary() {}

    /** Writes one entry per column. */
    static void write(Markup page, ComparisonResult result) {
        Row exact = result.rows().getFirst();
        page.open("section").element("h2", "What the figures mean").open("dl");
        entry(
                page,
                "Cache",
                "The method that holds the keys and values, with its options. " + exact.cache()
                        + " is exact and what the others are held against.");
        entry(
                page,
                "Bits per element",
                "All bytes the cache has allocated at the end of a window (codes, scales, exact windows, indices,"
                        + " codebooks), over the elements of K and V it stands for.");
        entry(page, "Cache bytes, bytes per token", "The same bytes, as a whole and divided by the window's tokens.");
        entry(page, "Peak RSS", peakText(exact.speed().peakRssScope()));
        entry(
                page,
                "Perplexity",
                "exp of the mean negative log likelihood over "
                        + Numbers.count(exact.quality().tokens())
                        + " predictions. The first " + Numbers.count(result.prefill()) + " tokens of each window of "
                        + Numbers.count(result.context())
                        + " are fed as one step and see each other exactly; counted are predictions of tokens fed one"
                        + " by one, which read the compressed cache.");
        entry(
                page,
                "KLD",
                "Mean Kullback-Leibler divergence, in nats, of the exact cache's next-token distribution from this"
                        + " cache's at the same positions; below it the 99th percentile. Perplexity can stay put while"
                        + " predictions change; this cannot.");
        entry(page, "Top-1", "Share of those positions where both caches have the same most probable token.");
        if (!exact.tasks().isEmpty()) {
            entry(
                    page,
                    "Tasks",
                    "Share of answers that greedy decoding gets exactly right in generated documents that were not"
                            + " trained on; below it right answers and answers asked. The document is fed as one step,"
                            + " the question and the answers are read through the cache. Intervals are Wilson's, 95 %.");
            waysToAsk(page, exact.tasks());
        }
        entry(
                page,
                "Prefill, decode",
                "Tokens per second: a prompt of " + Numbers.count(exact.speed().prefillTokens())
                        + " tokens in one step, and tokens one by one at the deepest cache of the chart. Medians of "
                        + exact.speed().prefill().count()
                        + " repetitions with the caches interleaved; × is the ratio to " + exact.cache()
                        + " within a repetition.");
        page.close("dl").close("section");
    }

    private static void waysToAsk(Markup page, List<TaskResult> tasks) {
        if (tasks.stream().anyMatch(task -> !task.turns().isEmpty())) {
            entry(
                    page,
                    "Turns",
                    "Several questions of one cache, as in SCBench (arXiv 2412.10319). Document and first question are the"
                            + " prompt that the cache compresses; only the question's last token is read through the"
                            + " cache. The next question, about something else in the document, comes as one step behind"
                            + " the true answer to the one before. A cache that dropped what the first question did not"
                            + " need falls from turn 1 to turn 2.");
        }
        if (tasks.stream()
                .anyMatch(task ->
                        !task.taskName().equals(task.task()) && task.turns().isEmpty())) {
            entry(
                    page,
                    "Requests",
                    "Several questions, each alone, of a document that the cache compressed before it knew any: the"
                            + " document is the prompt, each question one step behind a copy of its cache.");
        }
    }

    private static String peakText(SpeedResult.PeakScope scope) {
        return switch (scope) {
            case CACHE ->
                "Largest resident memory of the whole process, model and Java heap included, while this cache alone was"
                        + " filled and decoded; the mark was reset before each cache.";
            case PROCESS ->
                "Largest resident memory of the whole process since it began; this system did not let the mark be reset"
                        + " for each cache, so a row cannot be lower than the one above.";
            case UNKNOWN -> "Not known: this system does not tell.";
        };
    }

    /** A term and its meaning. */
    static void entry(Markup page, String term, String meaning) {
        page.element("dt", term).element("dd", meaning);
    }
}
