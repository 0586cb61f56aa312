package dev.kvasir.lab.task;

import dev.kvasir.InvalidInputException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Facts about people told inside prose and asked at the end in other words: where somebody lives, what they work as,
 * keep and like, whom they met where. The answer is a place, a job, a thing, a food or a name. Nobody else in the prose
 * has the first name of a person that facts are told about; full names and things are held out as in {@link Prose}.
 */
public final class Facts implements Task {
    private static final int MOST_PEOPLE = 16;
    private static final int TOKENS_PER_PERSON = 96;

    private final int people;
    private final int questions;
    private final boolean byLength;

    /** One person for each 96 tokens of the document, from 1 to 12, and up to 8 questions. */
    public Facts() {
        this(12, 8, true);
    }

    /**
     * As many people and questions as asked for; fewer in a document too short for them. Each person has 2 or 3 facts.
     *
     * @throws InvalidInputException if {@code people} is outside {@code [1, 16]} or {@code questions} outside
     *     {@code [1, 48]}
     */
    public Facts(int people, int questions) {
        this(people, questions, false);
    }

    private Facts(int people, int questions, boolean byLength) {
        this.people = Tasks.inRange("people", people, MOST_PEOPLE);
        this.questions = Tasks.inRange("questions", questions, 3 * MOST_PEOPLE);
        this.byLength = byLength;
    }

    @Override
    public String name() {
        return "facts";
    }

    @Override
    public Task asking(int most) {
        return new Facts(people, most, byLength);
    }

    @Override
    public Sample sample(Split split, long index, int tokens, TokenCounter counter) {
        int wanted = byLength ? Math.clamp(tokens / TOKENS_PER_PERSON, 1, people) : people;
        return Fit.to(name(), tokens, counter, budget -> {
            Dice dice = new Dice(split, name(), index);
            return draft(dice, split, budget, counter, wanted);
        });
    }

    private Optional<Sample> draft(Dice dice, Split split, int budget, TokenCounter counter, int wanted) {
        Set<String> taken = new HashSet<>();
        List<Life> lives = new ArrayList<>();
        while (lives.size() < wanted) {
            Life life = Life.draw(dice, split, taken);
            while (lives.isEmpty() && !split.owns(life.told().getFirst())) {
                life = Life.draw(dice, split, taken);
            }
            taken.addAll(life.names());
            lives.add(life);
        }
        String opening = lives.getFirst().told().getFirst() + "\n";
        Recall recall = new Recall(dice, split, counter, opening, " question :\n");
        for (int count = wanted; count >= 1; count--) {
            List<Life> some = lives.subList(0, count);
            List<Piece> body = body(dice, some, counter);
            List<Piece> asked = asked(dice, some, counter);
            int most = Math.min(questions, asked.size());
            for (int least = count > 1 ? most : 1; most >= least; most--) {
                List<Piece> first = asked.subList(0, most);
                if (recall.fits(budget, body, first)) {
                    return recall.write(budget, body, first, taken);
                }
            }
        }
        return Optional.empty();
    }

    /** All lines but the first of the first life, each life's in order. */
    private static List<Piece> body(Dice dice, List<Life> lives, TokenCounter counter) {
        List<Integer> turns = new ArrayList<>();
        List<Iterator<String>> lines = new ArrayList<>();
        for (int life = 0; life < lives.size(); life++) {
            List<String> told = lives.get(life).told();
            List<String> rest = life == 0 ? told.subList(1, told.size()) : told;
            turns.addAll(Collections.nCopies(rest.size(), life));
            lines.add(rest.iterator());
        }
        dice.shuffle(turns);
        return turns.stream()
                .map(life -> Piece.of(lines.get(life).next() + "\n", counter))
                .toList();
    }

    private static List<Piece> asked(Dice dice, List<Life> lives, TokenCounter counter) {
        List<Life.Question> questions = new ArrayList<>();
        for (Life life : lives) {
            questions.addAll(life.questions());
        }
        dice.shuffle(questions);
        return questions.stream()
                .map(question -> Piece.asking(question.text(), question.answer(), " .\n", counter))
                .toList();
    }
}
