package dev.kvasir.engine;

import dev.kvasir.InvalidInputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Which parts of a text a calibration reads.
 *
 * @param samples sequences to draw
 * @param length tokens of each
 * @param seed chooses where they lie
 */
public record TextSamples(int samples, int length, long seed) {
    /** Calibrations of the KV-cache papers usually read this much (KVQuant, arXiv 2401.18079). */
    public static final int DEFAULT_SAMPLES = 16;

    /** Tokens of a sequence, unless the model's context is shorter. */
    public static final int DEFAULT_LENGTH = 2048;

    /** Checks the sizes. */
    public TextSamples {
        if (samples < 1 || length < 2) {
            throw new InvalidInputException(
                    "samples must be at least 1 of at least 2 tokens, found " + samples + " of " + length + " tokens");
        }
    }

    /**
     * Sequences that do not overlap, at places drawn evenly, in the order of the text.
     *
     * @throws InvalidInputException if the text has too few tokens
     */
    public List<int[]> draw(int[] text) {
        long needed = (long) samples * length;
        if (text.length < needed) {
            throw new InvalidInputException("the text has " + text.length + " tokens, " + samples + " samples of "
                    + length + " need " + needed + ": take a longer text, fewer or shorter samples");
        }
        // Drawn are the gaps: sorted places among the tokens that no sample takes.
        int[] skipped = new SplittableRandom(seed)
                .ints(samples, 0, (int) (text.length - needed) + 1)
                .sorted()
                .toArray();
        List<int[]> drawn = new ArrayList<>();
        for (int i = 0; i < samples; i++) {
            int from = skipped[i] + i * length;
            drawn.add(Arrays.copyOfRange(text, from, from + length));
        }
        return drawn;
    }
}
