package dev.kvasir.train.data;

import dev.kvasir.InvalidInputException;
import dev.kvasir.lab.task.Sample;
import dev.kvasir.lab.task.Span;
import dev.kvasir.lab.task.Split;
import dev.kvasir.lab.task.Task;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Documents of one task, packed end to end until the row is full; an end-of-text id closes each. Half of the rows are one
 * long document, the others a mix of lengths.
 */
public final class TaskSource implements RowSource {
    private static final int SHORTEST = 64;
    /** Documents of a row are numbered below this, so two rows never share one. */
    private static final long DOCUMENTS_PER_ROW = 1024;

    /** Which task writes document {@code index} of {@code tokens} tokens. */
    @FunctionalInterface
    public interface Choice {
        /** The task. */
        Task of(long index, int tokens);
    }

    private final String name;
    private final Choice training;
    private final Task task;
    private final Tokenizer tokenizer;
    private final int endOfText;
    private final float answerWeight;
    private final float otherWeight;

    /**
     * A source over {@code task}.
     *
     * @param training the task to train on: usually the same, asking more often
     * @param task the task to test on
     * @param answerWeight what a token of an answer counts
     * @param otherWeight what every other token counts
     */
    public TaskSource(
            String name,
            Choice training,
            Task task,
            Tokenizer tokenizer,
            int endOfText,
            float answerWeight,
            float otherWeight) {
        this.name = name;
        this.training = training;
        this.task = task;
        this.tokenizer = tokenizer;
        this.endOfText = endOfText;
        this.answerWeight = answerWeight;
        this.otherWeight = otherWeight;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Row row(Split split, long index, int length) {
        SplittableRandom random = Mixing.random(name(), split, index, length);
        boolean whole = split == Split.TEST || random.nextBoolean();
        RowBuilder row = new RowBuilder(length + 1);
        for (long document = 0; !row.isFull(); document++) {
            int room = row.room() - 1;
            if (document > 0 && room < SHORTEST) {
                break;
            }
            int budget = Math.max(SHORTEST, room);
            if (!whole && room > 2 * SHORTEST) {
                budget = (int) (SHORTEST * Math.exp(random.nextDouble() * Math.log((double) room / SHORTEST)));
            }
            long number = index * DOCUMENTS_PER_ROW + document;
            Optional<Sample> sample = sample(split, number, budget).or(() -> sample(split, number, room));
            if (sample.isEmpty()) {
                break;
            }
            add(row, sample.get());
        }
        if (row.size() == 0) {
            throw new InvalidInputException("rows of " + length + " tokens are too short for task " + name);
        }
        return row.build(endOfText);
    }

    /** A document of at most {@code tokens} tokens; empty if the task has none so short. */
    private Optional<Sample> sample(Split split, long number, int tokens) {
        Task asked = split == Split.TRAIN ? training.of(number, tokens) : task;
        try {
            return Optional.of(asked.sample(split, number, tokens, this::count));
        } catch (InvalidInputException tooShort) {
            return Optional.empty();
        }
    }

    private int count(String text) {
        return tokenizer.encode(text).length;
    }

    private void add(RowBuilder row, Sample sample) {
        Tokenizer.Encoding encoding = tokenizer.encodeWithOffsets(sample.text());
        int offset = row.size();
        int token = 0;
        for (Span span : sample.answers()) {
            while (token < encoding.ids().length && encoding.ends()[token] <= span.start()) {
                row.add(encoding.ids()[token++], otherWeight);
            }
            int from = token;
            while (token < encoding.ids().length && encoding.starts()[token] < span.end()) {
                row.add(encoding.ids()[token++], answerWeight);
            }
            row.answer(offset + from, offset + token);
        }
        while (token < encoding.ids().length) {
            row.add(encoding.ids()[token++], otherWeight);
        }
        row.add(endOfText, otherWeight);
    }

    /** A row under construction; what does not fit is cut off. */
    private static final class RowBuilder {
        private final int[] ids;
        private final float[] weights;
        private final List<Row.TokenSpan> answers = new ArrayList<>();
        private int size;

        RowBuilder(int capacity) {
            ids = new int[capacity];
            weights = new float[capacity];
        }

        int size() {
            return size;
        }

        int room() {
            return ids.length - size;
        }

        boolean isFull() {
            return size >= ids.length;
        }

        void add(int id, float weight) {
            if (size < ids.length) {
                ids[size] = id;
                weights[size++] = weight;
            }
        }

        void answer(int from, int to) {
            if (to <= ids.length && from >= 1 && from < to) {
                answers.add(new Row.TokenSpan(from, to));
            }
        }

        Row build(int filler) {
            while (size < ids.length) {
                add(filler, 0);
            }
            return new Row(ids, weights, List.copyOf(answers));
        }
    }
}
