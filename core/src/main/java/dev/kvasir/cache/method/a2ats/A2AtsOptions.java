package dev.kvasir.cache.method.a2ats;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheSettings;

/**
 * The options of A2ATS, checked.
 *
 * @param window newest tokens that are always read, the step's own among them
 * @param far relative position that all other keys are scored at
 * @param sinks first tokens that are always read
 * @param share of all tokens that each query head reads beside them
 * @param codes code vectors of a KV head; 0 for as many as suit the model
 * @param queryAware whether code vectors are fitted in the queries' metric
 * @param dense first layers that read everything
 */
record A2AtsOptions(int window, int far, int sinks, double share, int codes, boolean queryAware, int dense) {
    static final String NAME = "a2ats";
    /** Code vectors that two bytes can name. */
    static final int MOST_CODES = 1 << 16;

    private static final int FEWEST_CODES = 16;

    static A2AtsOptions of(CacheSettings settings) {
        int window = settings.number("window");
        int far = settings.number("b");
        double share = settings.decimal("f");
        int codes = settings.number("codes");
        if (window < 1) {
            throw new InvalidInputException(NAME + ": window=0 would not read the newest token, allowed: 1 and more");
        }
        if (far < window) {
            throw new InvalidInputException(NAME + ": b=" + far + " is nearer than the window of " + window
                    + " tokens, allowed: that and more");
        }
        if (share > 1) {
            throw new InvalidInputException(NAME + ": f=" + settings.text("f") + " is not possible, allowed: 0 to 1");
        }
        if (codes != 0 && (codes < FEWEST_CODES || codes > MOST_CODES)) {
            throw new InvalidInputException(
                    NAME + ": codes=" + codes + " is not possible, allowed: 0, " + FEWEST_CODES + " to " + MOST_CODES);
        }
        return new A2AtsOptions(
                window,
                far,
                settings.number("sinks"),
                share,
                codes,
                settings.text("metric").equals("query"),
                settings.number("dense"));
    }

    /** The relative position that far keys are scored at: no model has learnt one beyond its context. */
    int far(CacheModel model) {
        return Math.min(far, model.contextLength());
    }

    /**
     * Code vectors that suit a model of which {@code keys} keys are known: at most the paper's 4096; an eighth of the context,
     * for a table costs as much as exact scores of as many tokens; and a tenth of the keys to learn from.
     */
    static int suitable(int contextLength, int keys) {
        int most = Math.min(4096, Math.min(contextLength / 8, keys / 10));
        return Math.max(FEWEST_CODES, Integer.highestOneBit(Math.max(1, most)));
    }
}
