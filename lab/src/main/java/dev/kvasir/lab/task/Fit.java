package dev.kvasir.lab.task;

import dev.kvasir.InvalidInputException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;

/**
 * Brings a document to its length: drafts are made against the sum of their pieces' tokens, and only if the whole then
 * counts differently (a counter that rounds, or that adds a token to each text) drafted again for a corrected sum.
 */
final class Fit {
    private static final int ROUNDS = 8;

    private Fit() {}

    /**
     * The draft that has at most {@code tokens} and, if the counter allows, at least 90 % of them.
     *
     * @param draft from a budget for the sum over pieces to a document, or to nothing if none is that short
     * @throws InvalidInputException if no draft fits
     */
    static Sample to(String task, int tokens, TokenCounter counter, IntFunction<Optional<Sample>> draft) {
        Optional<Sample> best = Optional.empty();
        int bestTotal = -1;
        int budget = tokens;
        for (int round = 0; round < ROUNDS; round++) {
            Optional<Sample> sample = draft.apply(budget);
            if (sample.isEmpty()) {
                break;
            }
            int total = counter.count(sample.get().text());
            if (total <= tokens && total > bestTotal) {
                best = sample;
                bestTotal = total;
            }
            if (bestTotal * 10L >= tokens * 9L) {
                break;
            }
            long scaled = (long) budget * tokens / Math.max(1, total);
            int next = (int) Math.min(Integer.MAX_VALUE, total > tokens ? Math.min(scaled, budget - 1L) : scaled);
            if (next == budget) {
                break;
            }
            budget = next;
        }
        return best.orElseThrow(() -> new InvalidInputException(
                "tokens: " + tokens + " are too few for task " + task + ", whose shortest document is longer"));
    }

    /** The pieces one after another. */
    static Sample join(List<Piece> pieces) {
        int length = 0;
        for (Piece piece : pieces) {
            length += piece.text().length();
        }
        StringBuilder text = new StringBuilder(length);
        List<Span> answers = new ArrayList<>();
        for (Piece piece : pieces) {
            for (Span answer : piece.answers()) {
                answers.add(answer.shifted(text.length()));
            }
            text.append(piece.text());
        }
        return new Sample(text.toString(), answers);
    }

    /** The pieces of both lists, each list in its order, mixed so that {@code body} lies evenly over the whole. */
    static List<Piece> interleave(Dice dice, List<Piece> body, List<Piece> filler) {
        List<Piece> mixed = new ArrayList<>(body.size() + filler.size());
        int b = 0;
        int f = 0;
        while (b < body.size() || f < filler.size()) {
            int left = body.size() - b;
            if (dice.below(left + filler.size() - f) < left) {
                mixed.add(body.get(b++));
            } else {
                mixed.add(filler.get(f++));
            }
        }
        return mixed;
    }
}
