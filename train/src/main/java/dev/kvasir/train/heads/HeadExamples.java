package dev.kvasir.train.heads;

import dev.kvasir.InvalidInputException;
import dev.kvasir.lab.task.Split;
import dev.kvasir.lab.task.Task;
import dev.kvasir.lab.task.Tasks;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/** An endless, reproducible list of documents of the lab's tasks as prompts with answers, of mixed lengths, task by task in turn. */
final class HeadExamples {
    /** Answers that a prompt is read for at most. */
    private static final int ANSWERS = 8;
    /** The shortest document: an eighth of the longest, but long enough to ask something. */
    private static final int SHORTEST_SHARE = 8;

    private static final int SHORTEST = 128;
    /** Documents tried for one that asks something. */
    private static final int TRIES = 16;

    private final List<Task> tasks;
    private final Tokenizer tokenizer;
    private final int length;
    private final long seed;

    /**
     * Documents of these tasks.
     *
     * @param length most tokens of a document
     */
    HeadExamples(List<String> tasks, Tokenizer tokenizer, int length, long seed) {
        this.tasks = tasks.stream().map(Tasks::byName).toList();
        this.tokenizer = tokenizer;
        this.length = length;
        this.seed = seed;
    }

    /** Example {@code index} of those to train on. */
    HeadExample training(long index) {
        SplittableRandom random = new SplittableRandom(seed ^ (index * 0x9E3779B97F4A7C15L));
        int drawn = (int) Math.round(length * Math.pow(SHORTEST_SHARE, -random.nextDouble()));
        int tokens = Math.max(SHORTEST, drawn);
        return example(tasks.get((int) (index % tasks.size())), Split.TRAIN, seed + index, tokens);
    }

    /** Example {@code index} of a task from the texts that no training sees, of full length. */
    HeadExample unseen(Task task, long index) {
        return example(task, Split.TEST, seed + index, length);
    }

    private HeadExample example(Task task, Split split, long number, int tokens) {
        for (int i = 0; i < TRIES; i++) {
            // Further documents are far from those of other indices.
            Sample sample = new Sample(number + ((long) i << 40), tokens);
            Optional<HeadExample> example = sample.of(task, split, tokenizer);
            if (example.isPresent()) {
                return example.get();
            }
        }
        throw new InvalidInputException("task " + task.name() + ": its documents of " + tokens
                + " tokens ask nothing; tasks with answers and longer documents are allowed");
    }

    /** Which document of a task. */
    private record Sample(long number, int tokens) {
        Optional<HeadExample> of(Task task, Split split, Tokenizer tokenizer) {
            var text = task.sample(split, number, tokens, part -> tokenizer.encode(part).length);
            return HeadExample.of(text, tokenizer.encodeWithOffsets(text.text()), ANSWERS);
        }
    }
}
