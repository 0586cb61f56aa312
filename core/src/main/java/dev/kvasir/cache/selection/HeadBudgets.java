package dev.kvasir.cache.selection;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import java.util.List;

/**
 * How the heads of a layer share its budget: alike, or by where the highest scores lie, so that heads that spread their
 * attention keep more (Feng et al., Ada-KV, arXiv 2407.11550, section 3).
 *
 * @param adaptive whether by the scores
 * @param safeguard the share of an equal budget that every head has anyway; the paper's alpha
 */
public record HeadBudgets(boolean adaptive, double safeguard) {
    /** All alike. */
    public static final HeadBudgets UNIFORM = new HeadBudgets(false, 1);

    /** The options {@code heads} and {@code safeguard}. */
    public static List<CacheOption> options() {
        return List.of(
                CacheOption.choice(
                        "heads",
                        "uniform",
                        "heads of a layer keep equally many, or by their scores",
                        "uniform",
                        "adaptive"),
                CacheOption.decimal(
                        "safeguard",
                        "0.2",
                        "share of an equal budget that each head has anyway, if adaptive",
                        "0 to 1"));
    }

    /**
     * What those options ask for.
     *
     * @throws InvalidInputException if it is not possible
     */
    public static HeadBudgets of(String method, CacheSettings settings) {
        double safeguard = settings.decimal("safeguard");
        if (safeguard > 1) {
            throw new InvalidInputException(
                    method + ": safeguard=" + settings.text("safeguard") + " is not possible, allowed: 0 to 1");
        }
        return settings.text("heads").equals("adaptive") ? new HeadBudgets(true, safeguard) : UNIFORM;
    }

    /**
     * Splits {@code total} tokens over heads.
     *
     * @param top how many of the {@code total} highest scores of the layer lie in each head
     * @param available how many tokens each head has; {@code total} is at most their sum
     */
    public int[] split(int total, int[] top, int[] available) {
        int heads = top.length;
        double equal = (double) total / heads;
        int[] sizes = new int[heads];
        int left = total;
        for (int h = 0; h < heads; h++) {
            double wanted = (1 - safeguard) * top[h] + safeguard * equal;
            sizes[h] = Math.min(available[h], (int) wanted);
            left -= sizes[h];
        }
        // What rounding left over, and heads that have no more, goes to where most of the high scores are left out.
        while (left > 0) {
            int next = -1;
            for (int h = 0; h < heads; h++) {
                if (sizes[h] < available[h] && (next < 0 || top[h] - sizes[h] > top[next] - sizes[next])) {
                    next = h;
                }
            }
            sizes[next]++;
            left--;
        }
        return sizes;
    }
}
