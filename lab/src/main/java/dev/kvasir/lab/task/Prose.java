package dev.kvasir.lab.task;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Generated stories: scenes of a few sentences each, with people, places and things that stay the same while a scene
 * lasts. One scene is one line.
 *
 * <p>A tenth of the pairs of first name and surname, and of adjective and thing, occurs in {@link Split#TEST} alone.
 * As a task it asks nothing: its samples have no answers.
 */
public final class Prose implements Task {
    /** Scenes' sentences, tried in vain, after which the rest is filled with the shortest. */
    private static final int MISSES = 6;

    @Override
    public String name() {
        return "prose";
    }

    @Override
    public Sample sample(Split split, long index, int tokens, TokenCounter counter) {
        return Fit.to(name(), tokens, counter, budget -> draft(new Dice(split, name(), index), split, budget, counter));
    }

    /** As {@link #sample}, the text alone. */
    public String text(Split split, long index, int tokens, TokenCounter counter) {
        return sample(split, index, tokens, counter).text();
    }

    private static Optional<Sample> draft(Dice dice, Split split, int budget, TokenCounter counter) {
        List<Piece> pieces = new ArrayList<>();
        int left = budget;
        int misses = 0;
        while (left > 0 && misses < MISSES) {
            List<String> scene = Scene.sentences(dice, split, Set.of());
            while (pieces.isEmpty() && !split.owns(scene.getFirst())) {
                scene = Scene.sentences(dice, split, Set.of());
            }
            for (int i = 0; i < scene.size(); i++) {
                Piece piece = Piece.of(i == scene.size() - 1 ? scene.get(i) + "\n" : scene.get(i), counter);
                if (piece.tokens() > left) {
                    misses++;
                    break;
                }
                pieces.add(piece);
                left -= piece.tokens();
            }
        }
        if (pieces.isEmpty()) {
            return Optional.empty();
        }
        topUp(dice, split, pieces, left, counter);
        return Optional.of(Fit.join(pieces));
    }

    /** Sentences, one a line, of at most {@code budget} tokens together; nobody in them has a first name in {@code taken}. */
    static List<Piece> lines(Dice dice, Split split, Set<String> taken, int budget, TokenCounter counter) {
        List<Piece> lines = new ArrayList<>();
        int left = budget;
        int misses = 0;
        while (left > 0 && misses < MISSES) {
            for (String sentence : Scene.sentences(dice, split, taken)) {
                Piece line = Piece.of(sentence + "\n", counter);
                if (line.tokens() > left) {
                    misses++;
                    break;
                }
                lines.add(line);
                left -= line.tokens();
            }
        }
        topUp(dice, split, lines, left, counter);
        return lines;
    }

    private static void topUp(Dice dice, Split split, List<Piece> pieces, int budget, TokenCounter counter) {
        int left = budget;
        for (int misses = 0; left > 0 && misses < MISSES; ) {
            Piece line = Piece.of(Scene.shortSentence(dice, split) + "\n", counter);
            if (line.tokens() <= left) {
                pieces.add(line);
                left -= line.tokens();
            } else {
                misses++;
            }
        }
    }
}
