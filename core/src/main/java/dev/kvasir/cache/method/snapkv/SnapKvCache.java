package dev.kvasir.cache.method.snapkv;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.selection.Budget;
import dev.kvasir.cache.selection.KeptLayer;
import dev.kvasir.cache.selection.TopTokens;
import dev.kvasir.cache.selection.WindowScores;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * SnapKV: of a prompt those tokens stay that the last ones, its observation window, attend to (Li et al., NeurIPS 2024, arXiv
 * 2404.14469). Decoded tokens all stay.
 *
 * <p>Weights are summed over the window and over the query heads of a KV head, then pooled over neighbours; each KV head keeps
 * its own tokens, and the window. A prompt fed in chunks is brought to the budget after each, by the window at the chunk's end:
 * then tokens of earlier chunks may go too, unless the store cannot let single tokens go; such a store keeps what it has, and
 * each chunk chooses among its own tokens. Rolls back to the end of the last prompt.
 *
 * <p>Options {@code budget}, {@code window} and {@code kernel} are the paper's max_capacity_prompt, window_size and kernel_size.
 */
public final class SnapKvCache implements CacheMethod {
    @Override
    public String name() {
        return "snapkv";
    }

    @Override
    public String summary() {
        return "of a prompt the tokens that its last tokens attend to";
    }

    @Override
    public String source() {
        return "Li et al., SnapKV, NeurIPS 2024, arXiv 2404.14469";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "What the end of a prompt, usually the question, attends to is what the answer will attend to. A head keeps"
                        + " that, and forgets the rest of the prompt: a second question about something else finds it gone.",
                "keep times those of the store, and 4 bytes a token and head",
                List.of(
                        "Mistral-7B-Instruct-v0.2, LongBench: about the full cache's at 4,096 tokens a head",
                        "needle in a haystack of 380,000 tokens found with 1,024 tokens a head"),
                List.of());
    }

    @Override
    public List<CacheOption> options() {
        List<CacheOption> options = new ArrayList<>(Budget.options("0.25"));
        options.add(CacheOption.number("window", 32, "last tokens of a prompt, whose attention counts", "at least 1"));
        options.add(
                CacheOption.choice("pooling", "max", "how scores of neighbours are pooled", "max", "average", "none"));
        options.add(CacheOption.number("kernel", 7, "neighbours that are pooled", "odd numbers"));
        options.add(CacheOption.spec("store", "exact(f16)", "what stores the tokens that stay", "exact, block, ..."));
        return options;
    }

    @Override
    public String positional() {
        return "keep";
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("which weighs tokens by the attention they get");
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        int window = window(settings);
        int kernel = settings.number("kernel");
        if (kernel % 2 == 0) {
            throw new InvalidInputException("snapkv: kernel=" + kernel + " is not possible, allowed: odd numbers");
        }
        WindowScores.Pooling pooling = switch (settings.text("pooling")) {
            case "max" -> WindowScores.Pooling.MAX;
            case "average" -> WindowScores.Pooling.AVERAGE;
            default -> WindowScores.Pooling.NONE;
        };
        CacheSpec store = settings.spec("store");
        TopTokens.Plan again = plan(settings, TopTokens.When.PROMPTS_AGAIN);
        TopTokens.Plan once = plan(settings, TopTokens.When.PROMPTS);
        return KeptLayer.factory(
                name(),
                store.method(),
                model.shape(),
                Caches.heads(name(), store, model),
                (layer, heads, movable) -> new TopTokens(
                        heads, Optional.of(new WindowScores(heads, window, pooling, kernel)), movable ? again : once));
    }

    private static int window(CacheSettings settings) {
        int window = settings.number("window");
        if (window < 1) {
            throw new InvalidInputException("snapkv: window=" + window + " is not possible, allowed: at least 1");
        }
        return window;
    }

    private TopTokens.Plan plan(CacheSettings settings, TopTokens.When when) {
        int window = window(settings);
        return new TopTokens.Plan(Budget.of(name(), settings, window + 1), 0, window, 0, when);
    }

    /** Of a prompt of {@code tokens} tokens. */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        int size = plan(settings, TopTokens.When.PROMPTS_AGAIN).sizeAfter(0, 0, tokens);
        long indices = KeptLayer.indexBytes(shape.layers() * shape.kvHeads(), size, false);
        return Caches.estimate(settings.spec("store"), shape, size).plus(new Footprint(0, 0, 0, indices, 0));
    }
}
