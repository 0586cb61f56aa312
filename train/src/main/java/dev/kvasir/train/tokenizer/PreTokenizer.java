package dev.kvasir.train.tokenizer;

import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts text into the words that no piece crosses; the same expression is used in training and written to {@code
 * tokenizer.json}.
 *
 * <p>The words cover the text without a gap: an English contraction, letters with their leading space, one digit with
 * its leading space (numbers are always split digit by digit, which is what lets a small model do arithmetic), a run of
 * other symbols with its leading space, a run of line breaks, and other white space, whose last space is left to the
 * word that follows (as in GPT-2).
 */
public final class PreTokenizer {
    /** The expression, in the dialect shared by {@link Pattern} (Unicode classes) and Oniguruma. */
    public static final String EXPRESSION = "['\u2019](?:s|t|re|ve|m|ll|d)(?![\\p{L}\\p{M}])"
            + "| ?[\\p{L}\\p{M}]+"
            + "| ?\\p{N}"
            + "| ?[^\\s\\p{L}\\p{M}\\p{N}]+"
            + "|[\\r\\n]+"
            + "|[^\\S\\r\\n]+(?!\\S)"
            + "|[^\\S\\r\\n]+";

    // Without the flag \s knows only ASCII in Java, while Oniguruma's knows all of Unicode's white space.
    private static final Pattern PATTERN = Pattern.compile(EXPRESSION, Pattern.UNICODE_CHARACTER_CLASS);

    private PreTokenizer() {}

    /** Hands the words of {@code text} to {@code words}, in order. */
    public static void split(String text, Consumer<String> words) {
        Matcher matcher = PATTERN.matcher(text);
        while (matcher.find()) {
            words.accept(matcher.group());
        }
    }
}
