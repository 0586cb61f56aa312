package dev.kvasir.cache.method.locret;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.selection.Budget;

/**
 * How a prompt is cut and how many of its tokens stay.
 *
 * <pre>
 *   prompt = chunk | chunk | ... | last chunk | local
 *            after each chunk a head is cut back to its budget; local tokens are added to that
 * </pre>
 *
 * @param budget tokens that a head keeps when it is cut back, b in the paper
 * @param chunk tokens of a chunk, B: above 1 as they are, up to 1 as a share of the budget
 * @param stabilizers newest tokens that stay after a chunk that is not the last, n_s: likewise
 * @param local last tokens of a prompt that stay beside the budget, n_loc
 */
record LocretPlan(Budget budget, double chunk, double stabilizers, int local) {
    /** The plan that options ask for; throws {@link InvalidInputException}. */
    static LocretPlan of(CacheSettings settings) {
        Budget budget = Budget.of("locret", settings, 1);
        double chunk = settings.decimal("chunk");
        double stabilizers = settings.decimal("stabilizers");
        int local = settings.number("local");
        if (chunk <= 0) {
            throw impossible("chunk", settings, "above 0");
        }
        if (stabilizers > 1 && budget.tokens() > 0 && stabilizers > budget.tokens()) {
            throw impossible("stabilizers", settings, "at most the budget of " + budget.tokens());
        }
        if (local < 1) {
            throw impossible("local", settings, "at least 1");
        }
        return new LocretPlan(budget, chunk, stabilizers, local);
    }

    private static InvalidInputException impossible(String option, CacheSettings settings, String allowed) {
        return new InvalidInputException(
                "locret: " + option + "=" + settings.text(option) + " is not possible, allowed: " + allowed);
    }

    /** Tokens that a head is cut back to in a step after which {@code seen} tokens have been seen. */
    int budget(int seen) {
        return budget.of(seen);
    }

    /** Newest tokens that stay whatever their score, where {@code budget} tokens stay. */
    int stabilizers(int budget) {
        return Math.min(budget, tokens(stabilizers, budget));
    }

    private static int tokens(double number, int budget) {
        return (int) Math.min(Integer.MAX_VALUE, Math.floor(number > 1 ? number : number * budget));
    }

    /**
     * Tokens of the next block of a step that has {@code left} tokens left, and ends when {@code seen} have been seen: a chunk,
     * or the local tokens.
     */
    int block(int left, int seen) {
        return evicts(left) ? Math.min(Math.max(1, tokens(chunk, budget(seen))), left - local) : left;
    }

    /** Whether heads are cut back after the block that comes when {@code left} tokens are left: not after a step's last ones. */
    boolean evicts(int left) {
        return left > local;
    }

    /** Whether that block is the last chunk of its prompt. */
    boolean isLast(int left, int block) {
        return left - block <= local;
    }

    /** Slots of a head after a first step of {@code tokens} tokens. */
    int sizeAfterPrompt(int tokens) {
        return tokens <= local ? tokens : Math.min(budget(tokens), tokens - local) + local;
    }
}
