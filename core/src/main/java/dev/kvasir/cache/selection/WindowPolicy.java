package dev.kvasir.cache.selection;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Of a prompt those tokens stay that its last ones attend to, and these: the policy of SnapKV (arXiv 2404.14469) and of what
 * differs from it in how many stay.
 *
 * @param window last tokens of a prompt, whose attention counts
 * @param beta how steeply budgets fall from layer to layer; 0: not
 * @param layers of the model
 */
public record WindowPolicy(
        int window, WindowScores.Pooling pooling, int kernel, Budget budget, int beta, int layers, HeadBudgets shares)
        implements Policy {
    /** The options, with that budget and window by default. */
    public static List<CacheOption> options(String keep, int window) {
        List<CacheOption> options = new ArrayList<>(Budget.options(keep));
        options.add(
                CacheOption.number("window", window, "last tokens of a prompt, whose attention counts", "at least 1"));
        options.add(
                CacheOption.choice("pooling", "max", "how scores of neighbours are pooled", "max", "average", "none"));
        options.add(CacheOption.number("kernel", 7, "neighbours that are pooled", "odd numbers"));
        options.addAll(HeadBudgets.options());
        return options;
    }

    /**
     * What those options ask for.
     *
     * @throws InvalidInputException if it is not possible
     */
    public static WindowPolicy of(String method, CacheSettings settings, CacheShape shape, int beta) {
        int window = settings.number("window");
        if (window < 1) {
            throw new InvalidInputException(method + ": window=" + window + " is not possible, allowed: at least 1");
        }
        int kernel = settings.number("kernel");
        if (kernel % 2 == 0) {
            throw new InvalidInputException(method + ": kernel=" + kernel + " is not possible, allowed: odd numbers");
        }
        WindowScores.Pooling pooling = switch (settings.text("pooling")) {
            case "max" -> WindowScores.Pooling.MAX;
            case "average" -> WindowScores.Pooling.AVERAGE;
            default -> WindowScores.Pooling.NONE;
        };
        return new WindowPolicy(
                window,
                pooling,
                kernel,
                Budget.of(method, settings, window + 1),
                beta,
                shape.layers(),
                HeadBudgets.of(method, settings));
    }

    @Override
    public Importance importance(List<HeadTokens> heads) {
        return new WindowScores(heads, window, pooling, kernel);
    }

    @Override
    public Optional<Importance> importanceByQueryHead(List<HeadTokens> heads, int group) {
        return Optional.of(new WindowScores(heads, window, pooling, kernel, group));
    }

    @Override
    public TopTokens.Plan plan(int layer, boolean movable) {
        Pyramid pyramid = beta == 0 ? Pyramid.FLAT : new Pyramid(beta, layer, layers);
        TopTokens.When when = movable ? TopTokens.When.PROMPTS_AGAIN : TopTokens.When.PROMPTS;
        return new TopTokens.Plan(budget, 0, window, 0, when, pyramid, shares);
    }
}
