package dev.kvasir.lab.task;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Many-shot labelling by a rule: each document gives 3 to 5 categories of words a label each, the lines, its shots, show
 * words with their labels. A label is an answer once its category has been shown twice.
 */
public final class ManyShot implements Task {
    /** Another name of the task, which training recipes use; documents are drawn by it. */
    static final String ALIAS = "labelling";

    private static final int LEAST_CATEGORIES = 3;
    private static final int MOST_CATEGORIES = 5;
    private static final int SHOWN_BEFORE_ASKED = 2;
    private static final List<List<String>> CATEGORIES = List.of(
            Words.ANIMALS,
            Words.TOOLS,
            Words.FOODS,
            Words.GOODS,
            Words.CLOTHES,
            Words.PLANTS,
            Words.WEATHER,
            Words.LAND,
            Words.COLOURS,
            Words.JOBS,
            Words.PLACES,
            Words.FIRST_NAMES);

    @Override
    public String name() {
        return "many-shot";
    }

    @Override
    public Sample sample(Split split, long index, int tokens, TokenCounter counter) {
        Map<String, Integer> counts = new HashMap<>();
        TokenCounter once = line -> counts.computeIfAbsent(line, counter::count);
        return Fit.to(name(), tokens, counter, budget -> draft(new Dice(split, ALIAS, index), split, budget, once));
    }

    private static Optional<Sample> draft(Dice dice, Split split, int budget, TokenCounter counter) {
        int categories = dice.between(LEAST_CATEGORIES, MOST_CATEGORIES);
        List<List<String>> words = new ArrayList<>(CATEGORIES);
        dice.shuffle(words);
        List<String> labels = new ArrayList<>(Words.LABELS);
        dice.shuffle(labels);
        int category = dice.below(categories);
        String word = dice.pick(words.get(category));
        while (!split.owns(word + labels.get(category))) {
            dice.shuffle(labels);
            word = dice.pick(words.get(category));
        }
        Piece header = Piece.of(" label :\n", counter);
        List<Piece> lines = new ArrayList<>();
        int[] shown = new int[categories];
        int left = budget - header.tokens();
        while (true) {
            Piece line = Piece.asking(" " + word + " :", " " + labels.get(category), " ;\n", counter);
            if (line.tokens() > left) {
                break;
            }
            boolean asked = shown[category]++ >= SHOWN_BEFORE_ASKED;
            lines.add(asked ? line : new Piece(line.text(), List.of(), line.tokens()));
            left -= line.tokens();
            category = dice.below(categories);
            word = dice.pick(words.get(category));
        }
        if (lines.isEmpty()) {
            return Optional.empty();
        }
        List<Piece> pieces = new ArrayList<>(Prose.lines(dice, split, Set.of(), left, counter));
        pieces.add(header);
        pieces.addAll(lines);
        return Optional.of(Fit.join(pieces));
    }
}
