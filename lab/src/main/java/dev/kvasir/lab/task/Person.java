package dev.kvasir.lab.task;

import java.util.Collection;

/** Somebody in a text, with the pronouns that go with the name. */
record Person(String first, String surname, boolean woman) {
    /** Anybody whose first name is not {@code taken} and whose full name {@code split} may use. */
    static Person draw(Dice dice, Split split, Collection<String> taken) {
        while (true) {
            String first = dice.pick(Words.FIRST_NAMES);
            String surname = dice.pick(Words.SURNAMES);
            if (!taken.contains(first) && split.mayUse(first + " " + surname)) {
                return new Person(first, surname, Words.WOMEN.contains(first));
            }
        }
    }

    String full() {
        return first + " " + surname;
    }

    String he() {
        return woman ? "she" : "he";
    }

    String capitalHe() {
        return woman ? "She" : "He";
    }

    String him() {
        return woman ? "her" : "him";
    }

    String his() {
        return woman ? "her" : "his";
    }
}
