package dev.kvasir.lab.task;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/** A little story: who, where and what stay the same from its opening to its end. */
final class Scene {
    private final Dice dice;
    private final Split split;
    private final Person a;
    private final Person b;
    private final String place;
    private final String elsewhere;
    private final String finething;
    private final String animal;
    private final String land;
    private final String weather;
    private boolean metA;
    private boolean metB;
    private String last = "";

    private Scene(Dice dice, Split split, Collection<String> taken) {
        this.dice = dice;
        this.split = split;
        a = Person.draw(dice, split, taken);
        Person other = Person.draw(dice, split, taken);
        while (other.first().equals(a.first())) {
            other = Person.draw(dice, split, taken);
        }
        b = other;
        place = dice.pick(Words.PLACES);
        elsewhere = different(Words.PLACES, place);
        finething = Words.pair(dice, Words.THINGS, split);
        animal = dice.pick(Words.ANIMALS);
        land = dice.pick(Words.LAND);
        weather = dice.pick(Words.WEATHER);
    }

    /** The sentences of a new scene, none of whose people has a first name in {@code taken}. */
    static List<String> sentences(Dice dice, Split split, Set<String> taken) {
        Scene scene = new Scene(dice, split, taken);
        List<String> sentences = new ArrayList<>();
        for (List<Template> stage : dice.pick(Plots.ALL)) {
            sentences.add(dice.pick(stage).in(scene));
            if (dice.below(3) == 0) {
                sentences.add(dice.pick(Plots.ASIDES).in(scene));
            }
        }
        return sentences;
    }

    /** One of {@link Plots#SHORT}, which name nobody. */
    static String shortSentence(Dice dice, Split split) {
        return dice.pick(Plots.SHORT).in(new Scene(dice, split, Set.of()));
    }

    String fill(Slot slot) {
        return switch (slot) {
            case A -> {
                boolean met = metA;
                metA = true;
                yield met ? a.first() : a.full();
            }
            case B -> {
                boolean met = metB;
                metB = true;
                yield met ? b.first() : b.full();
            }
            case HE -> a.he();
            case CAPITAL_HE -> a.capitalHe();
            case HIM -> a.him();
            case HIS -> a.his();
            case PLACE -> place;
            case ELSEWHERE -> elsewhere;
            case THING -> finething.substring(finething.indexOf(' ') + 1);
            case FINE_THING -> finething;
            case ANIMAL -> animal;
            case LAND -> land;
            case WEATHER -> weather;
            case OTHER_ANIMAL -> different(Words.ANIMALS, animal);
            case OTHER_LAND -> different(Words.LAND, land);
            case JOB -> fresh(Words.JOBS);
            case MOOD -> fresh(Words.MOODS);
            case ADJECTIVE -> fresh(Words.ADJECTIVES);
            case TIME -> fresh(Words.TIMES);
            case FOOD -> fresh(Words.MEALS);
            case MANY -> fresh(Words.PLURALS);
            case TREE -> fresh(Words.TREES);
            case TOOL -> fresh(Words.TOOLS);
            case CLOTHES -> fresh(Words.CLOTHES);
            case GIFT -> Words.pair(dice, Words.THINGS, split);
            case NOTHING -> "";
        };
    }

    private String fresh(List<String> words) {
        last = different(words, last);
        return last;
    }

    private String different(List<String> words, String from) {
        String word = dice.pick(words);
        while (word.equals(from)) {
            word = dice.pick(words);
        }
        return word;
    }
}
