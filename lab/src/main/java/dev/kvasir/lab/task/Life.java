package dev.kvasir.lab.task;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Two or three facts about a person, told and asked.
 *
 * @param told lines without their newline, to be told in this order; the first has the full name
 * @param questions one for each fact
 * @param names the first names of everybody in it
 */
record Life(List<String> told, List<Question> questions, Set<String> names) {
    /** A question from its space to its question mark; the answer with its leading space. */
    record Question(String text, String answer) {}

    private record Fact(String phrase, Question question) {}

    private enum Kind {
        HOME,
        WORK,
        THING,
        FOOD,
        MEETING
    }

    private static final List<Kind> KINDS = List.of(Kind.values());

    static Life draw(Dice dice, Split split, Set<String> taken) {
        Person person = Person.draw(dice, split, taken);
        Set<String> names = new HashSet<>(taken);
        names.add(person.first());
        String friend = Person.draw(dice, split, names).first();
        List<Kind> kinds = new ArrayList<>(KINDS);
        dice.shuffle(kinds);
        List<Fact> facts = new ArrayList<>();
        for (Kind kind : kinds.subList(0, dice.between(2, 3))) {
            facts.add(fact(dice, split, kind, person.first(), friend));
        }
        List<Question> questions = facts.stream().map(Fact::question).toList();
        return new Life(told(dice, person, facts), questions, Set.of(person.first(), friend));
    }

    private static List<String> told(Dice dice, Person person, List<Fact> facts) {
        String opening = " " + person.full() + " " + facts.get(0).phrase();
        String next = facts.get(1).phrase();
        List<String> lines = new ArrayList<>();
        switch (dice.below(3)) {
            case 0 -> lines.add(opening + " and " + next + " .");
            case 1 -> lines.add(opening + " . " + person.capitalHe() + " " + next + " .");
            default -> {
                lines.add(opening + " .");
                lines.add(" " + person.first() + " " + next + " .");
            }
        }
        for (Fact fact : facts.subList(2, facts.size())) {
            lines.add(" " + person.first() + " " + fact.phrase() + " .");
        }
        return lines;
    }

    private static Fact fact(Dice dice, Split split, Kind kind, String name, String friend) {
        return switch (kind) {
            case HOME -> {
                String place = dice.pick(Words.PLACES);
                String phrase = dice.pick(List.of("lives in ", "has a house in ", "is at home in ")) + place;
                yield fact(dice, phrase, place, "Where does " + name + " live", "Where is the house of " + name);
            }
            case WORK -> {
                String job = dice.pick(Words.JOBS);
                String phrase = dice.pick(List.of("works as ", "is ", "is known as ")) + Words.withArticle(job);
                yield fact(dice, phrase, job, "What does " + name + " work as", "What is the work of " + name);
            }
            case THING -> {
                String thing = Words.pair(dice, Words.THINGS, split);
                String phrase = dice.pick(List.of("keeps ", "has ", "still has ")) + Words.withArticle(thing);
                yield fact(dice, phrase, thing, "What does " + name + " keep", "What is kept by " + name);
            }
            case FOOD -> {
                String food = dice.pick(Words.MEALS);
                String phrase = dice.pick(List.of("likes ", "is happy with ", "asks for ")) + food;
                yield fact(dice, phrase, food, "What food does " + name + " like", "What does " + name + " like");
            }
            case MEETING -> {
                String place = dice.pick(Words.PLACES);
                String phrase = dice.pick(List.of("met ", "saw "))
                        + friend
                        + dice.pick(List.of(" in ", " at the market in "))
                        + place;
                yield dice.below(2) == 0
                        ? fact(
                                dice,
                                phrase,
                                friend,
                                "Who did " + name + " meet in " + place,
                                "Who did " + name + " see in " + place)
                        : fact(
                                dice,
                                phrase,
                                place,
                                "Where did " + name + " meet " + friend,
                                "Where did " + name + " see " + friend);
            }
        };
    }

    private static Fact fact(Dice dice, String phrase, String answer, String question, String otherwise) {
        return new Fact(phrase, new Question(" " + dice.pick(List.of(question, otherwise)) + " ?", " " + answer));
    }
}
