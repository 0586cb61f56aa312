package dev.kvasir.train.tokenizer;

import dev.kvasir.InvalidInputException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * How often each word of a text occurs; all a tokenizer's training and its unigram code length need of the text.
 *
 * @param words distinct words over {@link ByteAlphabet}, in ascending order
 * @param counts occurrences of each word
 */
public record WordCounts(List<String> words, List<Long> counts) {
    /**
     * A longer run (a line of dashes, an unbroken string) is counted in parts of this many bytes: it would cost every
     * merge and teach nothing a part does not.
     */
    static final int MAX_WORD_BYTES = 256;

    /**
     * Copies both lists.
     *
     * @throws InvalidInputException when the lists differ in length or a word has no byte or more than 256
     */
    public WordCounts {
        words = List.copyOf(words);
        counts = List.copyOf(counts);
        if (words.size() != counts.size()) {
            throw new InvalidInputException("word counts: " + words.size() + " words with " + counts.size()
                    + " counts, there must be one for each");
        }
        for (String word : words) {
            if (word.isEmpty() || word.length() > MAX_WORD_BYTES) {
                throw new InvalidInputException(
                        "word counts: a word of " + word.length() + " bytes, allowed are 1 to " + MAX_WORD_BYTES);
            }
        }
    }

    /** Counts {@code texts}, each on its own; {@code special} tokens in them are left out, as an encoder takes them out first. */
    public static WordCounts of(Iterator<String> texts, List<String> special) {
        Map<String, long[]> raw = new HashMap<>();
        Pattern specials = Pattern.compile(special.stream().map(Pattern::quote).collect(Collectors.joining("|")));
        while (texts.hasNext()) {
            String text = texts.next();
            for (String part : special.isEmpty() ? List.of(text) : List.of(specials.split(text, -1))) {
                PreTokenizer.split(part, word -> raw.computeIfAbsent(word, w -> new long[1])[0]++);
            }
        }
        Map<String, Long> counts = new TreeMap<>();
        raw.forEach((word, count) -> {
            String symbols = ByteAlphabet.encode(word);
            for (int from = 0; from < symbols.length(); from += MAX_WORD_BYTES) {
                String part = symbols.substring(from, Math.min(symbols.length(), from + MAX_WORD_BYTES));
                counts.merge(part, count[0], Long::sum);
            }
        });
        return new WordCounts(new ArrayList<>(counts.keySet()), new ArrayList<>(counts.values()));
    }

    /** Distinct words. */
    public int size() {
        return words.size();
    }

    /** Bytes of the whole text. */
    public long bytes() {
        long bytes = 0;
        for (int w = 0; w < size(); w++) {
            bytes += counts.get(w) * words.get(w).length();
        }
        return bytes;
    }
}
