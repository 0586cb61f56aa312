package dev.kvasir.lab.perplexity;

import dev.kvasir.InvalidInputException;

/**
 * How a text is cut and read.
 *
 * @param context tokens of a window, N
 * @param prefill tokens of a window that are fed as one step, P
 * @param windows most windows to read; {@link #ALL_WINDOWS} for all there are
 */
public record PerplexityOptions(int context, int prefill, int windows) {
    /** Reads the whole text. */
    public static final int ALL_WINDOWS = Integer.MAX_VALUE;

    /** Checks that each window leaves something to count. */
    public PerplexityOptions {
        if (context < 2) {
            throw new InvalidInputException("context: " + context + " tokens, at least 2 are needed");
        }
        if (prefill < 0 || prefill > context - 2) {
            throw new InvalidInputException("prefill: " + prefill + " of " + context
                    + " tokens leaves nothing to predict, allowed are 0 to " + (context - 2));
        }
        if (windows < 1) {
            throw new InvalidInputException("windows: " + windows + ", at least 1 is needed");
        }
    }

    /** Predictions counted in one window: those made after reading tokens P to N - 2. */
    public int countedPerWindow() {
        return context - 1 - prefill;
    }

    /**
     * Windows there are in a text of {@code tokens} tokens; what is left at the end is not read.
     *
     * @throws InvalidInputException if the text is shorter than one window
     */
    public int windowsIn(int tokens) {
        if (tokens < context) {
            throw new InvalidInputException("text: " + tokens + " tokens, one window needs " + context
                    + "; give a longer text or a smaller context");
        }
        return Math.min(windows, tokens / context);
    }
}
