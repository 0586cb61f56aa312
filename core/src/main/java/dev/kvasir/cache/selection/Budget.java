package dev.kvasir.cache.selection;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import java.util.List;

/**
 * Tokens that a head may keep: a number, or a share of the tokens seen.
 *
 * @param tokens the number, or 0 where the share counts
 * @param keep the share, from 0 to 1
 * @param factor what both are multiplied by, for layers that get more or less than others
 * @param least tokens it never falls below
 */
public record Budget(int tokens, double keep, double factor, int least) {
    /** The options {@code keep} and {@code budget}, which most methods that let tokens go have. */
    public static List<CacheOption> options(String keep) {
        return List.of(
                CacheOption.decimal("keep", keep, "share of the tokens seen that a head keeps", "above 0 to 1"),
                CacheOption.number(
                        "budget",
                        0,
                        "tokens that a head keeps, in place of a share",
                        "any number; 0: the share counts"));
    }

    /**
     * The budget that those options ask for.
     *
     * @param least tokens a head must be able to keep
     * @throws InvalidInputException if it is not possible
     */
    public static Budget of(String method, CacheSettings settings, int least) {
        double keep = settings.decimal("keep");
        int tokens = settings.number("budget");
        if (keep <= 0 || keep > 1) {
            throw new InvalidInputException(
                    method + ": keep=" + settings.text("keep") + " is not possible, allowed: above 0 to 1");
        }
        if (tokens != 0 && tokens < least) {
            throw new InvalidInputException(method + ": budget=" + tokens + " is not possible, allowed: 0, or at least "
                    + least + ", the tokens that always stay");
        }
        return new Budget(tokens, keep, 1, least);
    }

    /** The same budget times {@code by}. */
    public Budget times(double by) {
        return new Budget(tokens, keep, factor * by, least);
    }

    /** Tokens a head may keep of {@code seen}. */
    public int of(int seen) {
        double most = tokens > 0 ? tokens : keep * seen;
        return (int) Math.min(Integer.MAX_VALUE, Math.max(least, Math.floor(most * factor)));
    }
}
