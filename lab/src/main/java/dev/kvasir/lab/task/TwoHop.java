package dev.kvasir.lab.task;

import dev.kvasir.InvalidInputException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Variable tracking over two hops: {@code set Oscar = Lima ;} and {@code set Lima = tall river ;} lie in prose in any
 * order, {@code trace Oscar : Lima : tall river ;} must follow both, all after the first colon being the answer.
 * Variables are nouns and first names, distinct in a document; the nouns of values are never variables there.
 */
public final class TwoHop implements Task {
    private static final int MOST_CHAINS = 40;
    private static final int TOKENS_PER_CHAIN = 64;

    private final int chains;
    private final int questions;
    private final boolean byLength;

    /** One chain for each 64 tokens of the document, from 2 to 16, and up to 8 questions. */
    public TwoHop() {
        this(16, 8, true);
    }

    /**
     * As many chains and questions as asked for; fewer in a document too short for them.
     *
     * @throws InvalidInputException if either is outside {@code [1, 40]}
     */
    public TwoHop(int chains, int questions) {
        this(chains, questions, false);
    }

    private TwoHop(int chains, int questions, boolean byLength) {
        this.chains = Tasks.inRange("chains", chains, MOST_CHAINS);
        this.questions = Tasks.inRange("questions", questions, MOST_CHAINS);
        this.byLength = byLength;
    }

    @Override
    public String name() {
        return "two-hop";
    }

    @Override
    public Task asking(int most) {
        return new TwoHop(chains, most, byLength);
    }

    @Override
    public Sample sample(Split split, long index, int tokens, TokenCounter counter) {
        int wanted = byLength ? Math.clamp(tokens / TOKENS_PER_CHAIN, 2, chains) : chains;
        return Fit.to(name(), tokens, counter, budget -> {
            Dice dice = new Dice(split, name(), index);
            return draft(dice, split, budget, counter, wanted);
        });
    }

    private Optional<Sample> draft(Dice dice, Split split, int budget, TokenCounter counter, int wanted) {
        List<String> names = new ArrayList<>(
                Stream.concat(Words.FIRST_NAMES.stream(), Words.NOUNS.stream()).toList());
        dice.shuffle(names);
        List<String> variables = names.subList(0, 2 * wanted);
        List<String> nouns =
                Words.NOUNS.stream().filter(noun -> !variables.contains(noun)).toList();
        List<Piece> sets = new ArrayList<>();
        List<Piece> traces = new ArrayList<>();
        List<Integer> order = new ArrayList<>();
        for (int chain = 0; chain < wanted; chain++) {
            String root = variables.get(2 * chain);
            String alias = variables.get(2 * chain + 1);
            String value = Words.pair(dice, nouns);
            while (chain == 0 && !split.owns(root + alias + value)) {
                value = Words.pair(dice, nouns);
            }
            sets.add(Piece.of(" set " + root + " = " + value + " ;\n", counter));
            sets.add(Piece.of(" set " + alias + " = " + root + " ;\n", counter));
            traces.add(Piece.asking(" trace " + alias + " :", " " + root + " : " + value, " ;\n", counter));
            order.add(chain);
        }
        dice.shuffle(order);
        Recall recall = new Recall(dice, split, counter, "", " ask :\n");
        for (int count = wanted; count >= 1; count--) {
            List<Piece> body = new ArrayList<>(sets.subList(0, 2 * count));
            List<Piece> queries = Recall.chosen(traces, order, count, questions);
            if (recall.fits(budget, body, queries)) {
                shuffleBehindFirst(dice, body);
                return recall.write(budget, body, queries, Set.copyOf(variables));
            }
        }
        return Optional.empty();
    }

    /** Any order, but one of the first two lines, whose chain decides the split, stays the first. */
    private static void shuffleBehindFirst(Dice dice, List<Piece> body) {
        dice.shuffle(body.subList(0, 2));
        dice.shuffle(body.subList(1, body.size()));
    }
}
