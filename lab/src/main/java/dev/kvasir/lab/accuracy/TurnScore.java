package dev.kvasir.lab.accuracy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.metric.Logits;
import dev.kvasir.lab.metric.Proportion;
import dev.kvasir.lab.step.Progress;
import dev.kvasir.lab.step.ProgressMeter;
import dev.kvasir.lab.step.Sequence;
import dev.kvasir.lab.step.StepModel;
import dev.kvasir.lab.task.Sample;
import dev.kvasir.lab.task.Task;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * Asks several questions about one document through one cache, each cache the same ones (Li et al., SCBench, 2024, arXiv
 * 2412.10319).
 *
 * <p>{@link Way#TURNS}: context and first question are the prompt, fed as one step, so that a cache that drops tokens may
 * choose by the question. The next question is fed as one step to the same cache, and so on. The prompt lacks the
 * question's last token, which is fed alone: the answer's first token would otherwise be predicted from the prompt before
 * it was compressed, in the first turn only. Each answer stays in the cache as its true text, SCBench's default: a later
 * turn then shows what the cache lost, not what an earlier wrong answer led to.
 *
 * <p>{@link Way#REQUESTS}: the context alone is the prompt. Each question is fed as one step to a fork, so no question
 * sees another.
 *
 * <p>An answer is right when each of its tokens is the arg max given the true tokens before it: the same as exact match of
 * greedy decoding.
 */
public final class TurnScore {
    private final StepModel model;
    private final Function<String, Tokenizer.Encoding> tokenizer;
    private final TurnOptions options;

    /**
     * A score by {@code options}.
     *
     * @param tokenizer ids of a text with their offsets, no special token added
     * @throws InvalidInputException if the documents are longer than the model's context
     */
    public TurnScore(StepModel model, Function<String, Tokenizer.Encoding> tokenizer, TurnOptions options) {
        if (options.tokens() > model.contextLength()) {
            throw new InvalidInputException(
                    "task tokens: " + options.tokens() + ", the model has at most " + model.contextLength());
        }
        this.model = model;
        this.tokenizer = tokenizer;
        this.options = options;
    }

    /**
     * Fails if there is nothing to ask.
     *
     * @throws InvalidInputException if no document of the task has as many questions, each on a line of its own
     */
    public void check(Exam exam) {
        Task task = exam.task().asking(options.turns());
        for (int i = 0; i < options.samples(); i++) {
            if (!sample(task, options.firstIndex() + i).turns().isEmpty()) {
                return;
            }
        }
        throw new InvalidInputException("task " + exam.name() + ": no document of " + options.tokens() + " tokens has "
                + options.turns() + " questions on lines of their own; other tasks and longer documents are allowed");
    }

    /**
     * Scores each of {@code caches}; the results are in their order.
     *
     * @param exam asked in turns or requests
     * @throws InvalidInputException as {@link #check}
     */
    public List<TaskResult> run(Exam exam, List<CacheSpec> caches, Progress progress) {
        check(exam);
        Task task = exam.task().asking(options.turns());
        long[][] right = new long[caches.size()][options.turns()];
        long asked = 0;
        ProgressMeter meter = new ProgressMeter(progress, exam.name(), "documents", options.samples());
        for (int i = 0; i < options.samples(); i++) {
            TurnSample sample = sample(task, options.firstIndex() + i);
            if (!sample.turns().isEmpty()) {
                ask(sample, exam.way(), caches, right);
                asked++;
            }
            meter.advance(1);
        }
        List<TaskResult> results = new ArrayList<>();
        for (int c = 0; c < caches.size(); c++) {
            results.add(result(exam, caches.get(c), right[c], asked));
        }
        return results;
    }

    private TaskResult result(Exam exam, CacheSpec cache, long[] right, long asked) {
        List<Proportion> turns =
                Arrays.stream(right).mapToObj(own -> Proportion.of(own, asked)).toList();
        Proportion all = Proportion.of(Arrays.stream(right).sum(), asked * options.turns());
        return new TaskResult(
                exam.name(), cache.toString(), all, options.samples(), exam.way() == Way.TURNS ? turns : List.of());
    }

    private TurnSample sample(Task task, long index) {
        Sample sample = task.sample(
                options.split(),
                index,
                options.tokens(),
                text -> tokenizer.apply(text).ids().length);
        return TurnSample.of(sample, tokenizer.apply(sample.text()), options.turns());
    }

    private void ask(TurnSample sample, Way way, List<CacheSpec> caches, long[][] right) {
        TurnSample.Turn first = sample.turns().getFirst();
        int prompt = way == Way.TURNS ? first.answer().start() - 1 : first.question();
        List<Sequence> open = new ArrayList<>();
        try {
            caches.forEach(spec -> open.add(model.open(spec)));
            if (prompt > 0) {
                model.feedAll(open, sample.ids(), 0, prompt);
            }
            for (int c = 0; c < open.size(); c++) {
                if (way == Way.TURNS) {
                    askInTurns(sample, open.get(c), right[c]);
                } else {
                    askEachAlone(sample, open.get(c), right[c]);
                }
            }
        } finally {
            open.forEach(Sequence::close);
        }
    }

    private void askInTurns(TurnSample sample, Sequence sequence, long[] right) {
        for (int turn = 0; turn < right.length; turn++) {
            if (answers(sample, sample.turns().get(turn), sequence.length(), sequence)) {
                right[turn]++;
            }
        }
    }

    private void askEachAlone(TurnSample sample, Sequence context, long[] right) {
        for (int request = 0; request < right.length; request++) {
            TurnSample.Turn turn = sample.turns().get(request);
            try (Sequence fork = context.fork()) {
                if (answers(sample, turn, turn.question(), fork)) {
                    right[request]++;
                }
            }
        }
    }

    /** Feeds what is left of the question from token {@code from} on as one step, then the answer but its last token. */
    private boolean answers(TurnSample sample, TurnSample.Turn turn, int from, Sequence sequence) {
        float[] logits = new float[model.vocabularySize()];
        int start = turn.answer().start();
        sequence.feed(sample.ids(), from, start - from, logits);
        boolean right = Logits.argMax(logits) == sample.ids()[start];
        for (int token = start; token < turn.answer().end() - 1; token++) {
            sequence.feed(sample.ids(), token, 1, logits);
            right &= Logits.argMax(logits) == sample.ids()[token + 1];
        }
        return right;
    }
}
