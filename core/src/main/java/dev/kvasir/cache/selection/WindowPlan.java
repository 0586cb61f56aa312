package dev.kvasir.cache.selection;

import dev.kvasir.InvalidInputException;

/**
 * What a query sees of the past: the first tokens of the sequence, and those not far behind it.
 *
 * @param sinks first tokens, which all see
 * @param window a token {@code p} sees {@code j} where {@code p - j < window}
 * @param block most tokens of a step that attend at once
 * @param cap farthest position from which a query looks at the sinks: beyond it their distance grows no more
 */
public record WindowPlan(int sinks, int window, int block, int cap) {
    /** A cap that is never reached. */
    public static final int NO_CAP = Integer.MAX_VALUE;

    /**
     * Checks the plan: a block's own tokens must see each other at true distances.
     *
     * @throws InvalidInputException naming {@code method}
     */
    public static WindowPlan of(String method, int sinks, int window, int block, int cap) {
        if (window < 1) {
            throw new InvalidInputException(method + ": window=" + window + " is not possible, allowed: at least 1");
        }
        if (window - 1L > cap) {
            throw new InvalidInputException(method + ": window=" + window + " is not possible, allowed: at most "
                    + (cap + 1L) + ", so that no distance is above " + cap);
        }
        if (block < 1) {
            throw new InvalidInputException(method + ": block=" + block + " is not possible, allowed: at least 1");
        }
        return new WindowPlan(sinks, window, Math.min(block, window), cap);
    }

    /** Slots of a head. */
    public int slots() {
        return sinks + window;
    }

    /** Slots of a head after {@code tokens} tokens. */
    public int sizeOf(int tokens) {
        return Math.min(tokens, slots());
    }

    /** The slot of a position. */
    int slot(int position) {
        return position < sinks ? position : sinks + (position - sinks) % window;
    }

    /** The newest position in a slot after {@code seen} tokens. */
    int position(int slot, int seen) {
        return slot < sinks ? slot : seen - 1 - Math.floorMod(seen - 1 - slot, window);
    }
}
