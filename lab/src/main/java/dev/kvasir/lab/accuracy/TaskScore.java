package dev.kvasir.lab.accuracy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.metric.Logits;
import dev.kvasir.lab.metric.Proportion;
import dev.kvasir.lab.step.Progress;
import dev.kvasir.lab.step.ProgressMeter;
import dev.kvasir.lab.step.Sequence;
import dev.kvasir.lab.step.StepModel;
import dev.kvasir.lab.task.Task;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * Asks a model the questions of generated documents, each cache the same ones.
 *
 * <p>A document is fed as one step up to shortly before its first asked answer ({@link TaskOptions#probe}), then token by
 * token through the cache. An answer is right when each of its tokens is the arg max given the true tokens before it: the
 * same as exact match of greedy decoding from the text before that answer.
 */
public final class TaskScore {
    private final StepModel model;
    private final Function<String, Tokenizer.Encoding> tokenizer;
    private final TaskOptions options;

    /**
     * A score by {@code options}.
     *
     * @param tokenizer ids of a text with their offsets, no special token added
     * @throws InvalidInputException if the documents are longer than the model's context
     */
    public TaskScore(StepModel model, Function<String, Tokenizer.Encoding> tokenizer, TaskOptions options) {
        if (options.tokens() > model.contextLength()) {
            throw new InvalidInputException(
                    "task tokens: " + options.tokens() + ", the model has at most " + model.contextLength());
        }
        this.model = model;
        this.tokenizer = tokenizer;
        this.options = options;
    }

    /**
     * Scores each of {@code caches}; the results are in their order.
     *
     * @throws InvalidInputException if the task asks nothing, or cannot make a document so short
     */
    public List<TaskResult> run(Task task, List<CacheSpec> caches, Progress progress) {
        long[] right = new long[caches.size()];
        long asked = 0;
        ProgressMeter meter = new ProgressMeter(progress, task.name(), "documents", options.samples());
        for (int i = 0; i < options.samples(); i++) {
            AskedSample sample = sample(task, options.firstIndex() + i);
            if (!sample.answers().isEmpty()) {
                ask(sample, caches, right);
                asked += sample.answers().size();
            }
            meter.advance(1);
        }
        if (asked == 0) {
            throw new InvalidInputException("task " + task.name() + ": its documents of " + options.tokens()
                    + " tokens ask nothing; tasks with answers and longer documents are allowed");
        }
        List<TaskResult> results = new ArrayList<>();
        for (int c = 0; c < caches.size(); c++) {
            Proportion answers = Proportion.of(right[c], asked);
            results.add(new TaskResult(task.name(), caches.get(c).toString(), answers, options.samples(), List.of()));
        }
        return results;
    }

    private AskedSample sample(Task task, long index) {
        var sample = task.sample(
                options.split(),
                index,
                options.tokens(),
                text -> tokenizer.apply(text).ids().length);
        return AskedSample.of(sample, tokenizer.apply(sample.text()), options.answers(), options.probe());
    }

    private void ask(AskedSample sample, List<CacheSpec> caches, long[] right) {
        List<Sequence> open = new ArrayList<>();
        try {
            caches.forEach(spec -> open.add(model.open(spec)));
            if (sample.prefill() > 0) {
                model.feedAll(open, sample.ids(), 0, sample.prefill());
            }
            for (int c = 0; c < open.size(); c++) {
                right[c] += rightAnswers(sample, open.get(c));
            }
        } finally {
            open.forEach(Sequence::close);
        }
    }

    private int rightAnswers(AskedSample sample, Sequence sequence) {
        float[] logits = new float[model.vocabularySize()];
        int right = 0;
        int fed = sample.prefill();
        for (TokenRange answer : sample.answers()) {
            boolean allRight = true;
            for (; fed < answer.end() - 1; fed++) {
                sequence.feed(sample.ids(), fed, 1, logits);
                allRight &= fed + 1 < answer.start() || Logits.argMax(logits) == sample.ids()[fed + 1];
            }
            right += allRight ? 1 : 0;
        }
        return right;
    }
}
