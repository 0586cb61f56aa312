package dev.kvasir.lab.task;

import java.util.ArrayList;
import java.util.List;

/** A sentence with slots, read once from words such as {@code $A lost the $thing .} */
record Template(List<Part> parts) {
    /** Literal words, each after a space, then what fills {@code slot}. */
    record Part(String literal, Slot slot) {}

    static Template of(String sentence) {
        List<Part> parts = new ArrayList<>();
        StringBuilder literal = new StringBuilder();
        for (String word : sentence.split(" ", -1)) {
            if (word.startsWith("$")) {
                parts.add(new Part(literal.toString(), Slot.of(word)));
                literal.setLength(0);
            } else {
                literal.append(' ').append(word);
            }
        }
        if (!literal.isEmpty()) {
            parts.add(new Part(literal.toString(), Slot.NOTHING));
        }
        return new Template(List.copyOf(parts));
    }

    /** The sentence in {@code scene}, from the space before its first word to its full stop. */
    String in(Scene scene) {
        StringBuilder text = new StringBuilder(96);
        for (Part part : parts) {
            text.append(part.literal());
            if (part.slot() != Slot.NOTHING) {
                append(text, scene.fill(part.slot()));
            }
        }
        return text.toString();
    }

    private static void append(StringBuilder text, String words) {
        boolean article = text.length() >= 2
                && text.charAt(text.length() - 2) == ' '
                && Character.toLowerCase(text.charAt(text.length() - 1)) == 'a';
        if (article && Words.wantsAn(words)) {
            text.append('n');
        }
        text.append(' ').append(words);
    }
}
