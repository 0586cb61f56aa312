package dev.kvasir.lab.compare;

import dev.kvasir.KvasirException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.accuracy.Exam;
import dev.kvasir.lab.accuracy.TaskResult;
import dev.kvasir.lab.accuracy.TaskScore;
import dev.kvasir.lab.accuracy.TurnScore;
import dev.kvasir.lab.accuracy.Way;
import dev.kvasir.lab.bench.SpeedBench;
import dev.kvasir.lab.bench.SpeedResult;
import dev.kvasir.lab.compare.ComparisonResult.Row;
import dev.kvasir.lab.compare.ComparisonResult.Skipped;
import dev.kvasir.lab.info.ModelInfo;
import dev.kvasir.lab.metric.Proportion;
import dev.kvasir.lab.perplexity.PerplexityResult;
import dev.kvasir.lab.perplexity.PerplexityRun;
import dev.kvasir.lab.step.Progress;
import dev.kvasir.lab.step.StepModel;
import dev.kvasir.tokenizer.Tokenizer;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * The main job: one model, one text, the same tasks and the same timings under several caches.
 *
 * <p>Speed comes first, while no other sequences are alive, so that peak memory is a cache's own.
 */
public final class Comparison {
    private final StepModel model;
    private final ModelInfo info;
    private final Machine machine;
    private final Function<String, Tokenizer.Encoding> tokenizer;

    /** A comparison on {@code model}, which {@code info} describes, with ids from {@code tokenizer}. */
    public Comparison(
            StepModel model, ModelInfo info, Machine machine, Function<String, Tokenizer.Encoding> tokenizer) {
        this.model = model;
        this.info = info;
        this.machine = machine;
        this.tokenizer = tokenizer;
    }

    /**
     * Measures everything the options ask for.
     *
     * @throws KvasirException if an option, a cache or the text does not fit the model; before anything is measured
     *     where it can be known
     */
    public ComparisonResult run(ComparisonOptions options, Text text, Progress progress) {
        OffsetDateTime date = OffsetDateTime.now(ZoneId.systemDefault()).truncatedTo(ChronoUnit.SECONDS);
        long start = System.nanoTime();
        List<Exam> exams = options.tasks().stream().map(Exam::byName).toList();
        options.text().windowsIn(text.tokens().length);
        PerplexityRun perplexity = new PerplexityRun(model, options.reference(), options.text());
        TaskScore score = new TaskScore(model, tokenizer, options.asked());
        TurnScore turns = new TurnScore(model, tokenizer, options.inTurns());
        exams.stream().filter(exam -> exam.way() != Way.ANSWERS).forEach(turns::check);
        SpeedBench bench = new SpeedBench(model, options.speed());
        List<Skipped> skipped = new ArrayList<>();
        List<CacheSpec> caches = usable(options, skipped);

        List<SpeedResult> speeds = bench.run(caches, progress);
        List<PerplexityResult> qualities = perplexity.run(text.tokens(), caches, progress);
        List<List<TaskResult>> asked = new ArrayList<>();
        for (Exam exam : exams) {
            asked.add(
                    exam.way() == Way.ANSWERS
                            ? score.run(exam.task(), caches, progress)
                            : turns.run(exam, caches, progress));
        }
        List<Row> rows = new ArrayList<>();
        for (int c = 0; c < caches.size(); c++) {
            int row = c;
            rows.add(row(
                    caches.get(c).equals(options.reference()),
                    options.text().context(),
                    qualities.get(c),
                    asked.stream().map(results -> results.get(row)).toList(),
                    speeds.get(c)));
        }
        return new ComparisonResult(
                info,
                machine,
                date.format(DateTimeFormatter.ISO_OFFSET_DATE_TIME),
                (System.nanoTime() - start) / 1e9,
                options.seed(),
                text.description(),
                options.text().context(),
                options.text().prefill(),
                List.copyOf(rows),
                List.copyOf(skipped));
    }

    private static Row row(
            boolean reference, int context, PerplexityResult quality, List<TaskResult> tasks, SpeedResult speed) {
        return new Row(
                quality.cache(),
                reference,
                (double) quality.cacheBytes() / context,
                quality,
                tasks,
                together(tasks.stream()
                        .filter(task -> task.turns().isEmpty())
                        .map(TaskResult::answers)
                        .toList()),
                together(tasks.stream()
                        .filter(task -> !task.turns().isEmpty())
                        .map(task -> task.turns().getLast())
                        .toList()),
                speed);
    }

    private static Optional<Proportion> together(List<Proportion> parts) {
        long right = parts.stream().mapToLong(Proportion::successes).sum();
        long asked = parts.stream().mapToLong(Proportion::trials).sum();
        return asked == 0 ? Optional.empty() : Optional.of(Proportion.of(right, asked));
    }

    /** Opens every cache once, each method and options only once, so that one that cannot serve this model is known before the long work. */
    private List<CacheSpec> usable(ComparisonOptions options, List<Skipped> skipped) {
        List<CacheSpec> caches = new ArrayList<>();
        Set<CacheSpec> seen = new HashSet<>();
        for (CacheSpec spec : options.caches()) {
            try {
                if (seen.add(model.complete(spec))) {
                    model.open(spec).close();
                    caches.add(spec);
                }
            } catch (KvasirException e) {
                if (!options.skipUnfit() || spec.equals(options.reference())) {
                    throw e;
                }
                skipped.add(new Skipped(spec.toString(), String.valueOf(e.getMessage())));
            }
        }
        return caches;
    }
}
