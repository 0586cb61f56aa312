package dev.kvasir.lab.task;

import dev.kvasir.InvalidInputException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Key-value retrieval: pairs such as {@code amber fox = tall river ;} scattered in prose, some of them asked again at
 * the end, the values being the answers. Keys are unique in a document; each value is drawn on its own.
 */
public final class Retrieval implements Task {
    private static final int MOST_PAIRS = 1024;
    private static final int TOKENS_PER_PAIR = 24;

    private final int pairs;
    private final int questions;
    private final boolean byLength;

    /** One pair for each 24 tokens of the document, from 2 to 32, and up to 8 questions. */
    public Retrieval() {
        this(32, 8, true);
    }

    /**
     * As many pairs and questions as asked for; fewer in a document too short for them.
     *
     * @throws InvalidInputException if either is outside {@code [1, 1024]}
     */
    public Retrieval(int pairs, int questions) {
        this(pairs, questions, false);
    }

    private Retrieval(int pairs, int questions, boolean byLength) {
        this.pairs = Tasks.inRange("pairs", pairs, MOST_PAIRS);
        this.questions = Tasks.inRange("questions", questions, MOST_PAIRS);
        this.byLength = byLength;
    }

    @Override
    public String name() {
        return "retrieval";
    }

    @Override
    public Task asking(int most) {
        return new Retrieval(pairs, most, byLength);
    }

    @Override
    public Sample sample(Split split, long index, int tokens, TokenCounter counter) {
        int wanted = byLength ? Math.clamp(tokens / TOKENS_PER_PAIR, 2, pairs) : pairs;
        return Fit.to(name(), tokens, counter, budget -> {
            Dice dice = new Dice(split, name(), index);
            return draft(dice, split, budget, counter, wanted);
        });
    }

    private Optional<Sample> draft(Dice dice, Split split, int budget, TokenCounter counter, int wanted) {
        List<Piece> asked = new ArrayList<>();
        List<Piece> told = new ArrayList<>();
        Set<String> keys = new HashSet<>();
        List<Integer> order = new ArrayList<>();
        while (told.size() < wanted) {
            String key = Words.pair(dice, Words.NOUNS);
            String value = Words.pair(dice, Words.NOUNS);
            String before = " " + key + " =";
            boolean opening = told.isEmpty();
            if ((opening && !split.owns(key + value)) || !keys.add(key)) {
                continue;
            }
            Piece line = Piece.asking(before, " " + value, " ;\n", counter);
            asked.add(line);
            told.add(new Piece(line.text(), List.of(), line.tokens()));
            order.add(order.size());
        }
        dice.shuffle(order);
        Recall recall = new Recall(dice, split, counter, " pairs :\n", " ask :\n");
        for (int count = wanted; count >= 1; count--) {
            List<Piece> some = told.subList(0, count);
            List<Piece> queries = Recall.chosen(asked, order, count, questions);
            if (recall.fits(budget, some, queries)) {
                return recall.write(budget, some, queries, Set.of());
            }
        }
        return Optional.empty();
    }
}
