package dev.kvasir.lab.compare;

import dev.kvasir.lab.task.Prose;
import dev.kvasir.lab.task.Split;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.function.Function;

/**
 * A text to read.
 *
 * @param description what it is, for the report
 * @param tokens its ids
 */
public record Text(String description, int[] tokens) {
    /** A user's text. */
    public static Text of(String description, String text, Function<String, Tokenizer.Encoding> tokenizer) {
        return new Text(description, tokenizer.apply(text).ids());
    }

    /** At least {@code tokens} tokens of held-out generated prose. */
    public static Text generated(int tokens, long seed, Function<String, Tokenizer.Encoding> tokenizer) {
        Prose prose = new Prose();
        StringBuilder text = new StringBuilder();
        int[] ids = new int[0];
        for (long index = ComparisonOptions.firstDocument(seed); ids.length < tokens; index++) {
            int wanted = Math.max(MIN_DOCUMENT, tokens - ids.length);
            text.append(prose.text(
                    Split.TEST, index, wanted, line -> tokenizer.apply(line).ids().length));
            ids = tokenizer.apply(text.toString()).ids();
        }
        return new Text("generated prose, seed " + seed, ids);
    }

    private static final int MIN_DOCUMENT = 256;
}
