package dev.kvasir.lab.task;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The shape that retrieval, two-hop and facts share: what must be remembered lies scattered in prose, the questions
 * stand at the end.
 *
 * <pre>
 * header | body and prose, mixed ... | ask | questions ...
 * </pre>
 */
final class Recall {
    private final Dice dice;
    private final Split split;
    private final TokenCounter counter;
    private final List<Piece> header = new ArrayList<>();
    private final Piece ask;

    /** @param header the first line, or empty for none */
    Recall(Dice dice, Split split, TokenCounter counter, String header, String ask) {
        this.dice = dice;
        this.split = split;
        this.counter = counter;
        this.ask = Piece.of(ask, counter);
        if (!header.isEmpty()) {
            this.header.add(Piece.of(header, counter));
        }
    }

    /** Whether body and questions fit in {@code budget} tokens without any prose. */
    boolean fits(int budget, List<Piece> body, List<Piece> questions) {
        return left(budget, body, questions) >= 0;
    }

    /** The document, filled up with prose in which nobody has a first name in {@code taken}; nothing if it does not fit. */
    Optional<Sample> write(int budget, List<Piece> body, List<Piece> questions, Set<String> taken) {
        int left = left(budget, body, questions);
        if (left < 0) {
            return Optional.empty();
        }
        List<Piece> pieces = new ArrayList<>(header);
        pieces.addAll(Fit.interleave(dice, body, Prose.lines(dice, split, taken, left, counter)));
        pieces.add(ask);
        pieces.addAll(questions);
        return Optional.of(Fit.join(pieces));
    }

    /** The first {@code most} of {@code questions} in {@code order}, of those about the first {@code told} things. */
    static List<Piece> chosen(List<Piece> questions, List<Integer> order, int told, int most) {
        return order.stream()
                .filter(i -> i < told)
                .limit(most)
                .map(questions::get)
                .toList();
    }

    private int left(int budget, List<Piece> body, List<Piece> questions) {
        return budget - Piece.tokens(header) - ask.tokens() - Piece.tokens(body) - Piece.tokens(questions);
    }
}
