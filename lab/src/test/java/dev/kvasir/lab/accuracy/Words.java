package dev.kvasir.lab.accuracy;

import dev.kvasir.tokenizer.Tokenizer;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** A tokenizer for tests: each word with the space before it is a token, its id the word's number. */
public final class Words {
    private static final Pattern WORD = Pattern.compile(" ?[^ ]+");

    private Words() {}

    public static Tokenizer.Encoding encode(String text) {
        MatchResult[] words = WORD.matcher(text).results().toArray(MatchResult[]::new);
        int[] ids = new int[words.length];
        int[] starts = new int[words.length];
        int[] ends = new int[words.length];
        for (int i = 0; i < words.length; i++) {
            ids[i] = Math.floorMod(words[i].group().trim().hashCode(), 64);
            starts[i] = words[i].start();
            ends[i] = words[i].end();
        }
        return new Tokenizer.Encoding(ids, starts, ends);
    }
}
