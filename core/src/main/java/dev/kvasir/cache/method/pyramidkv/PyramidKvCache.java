package dev.kvasir.cache.method.pyramidkv;

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
import dev.kvasir.cache.selection.KeptLayers;
import dev.kvasir.cache.selection.Policy;
import dev.kvasir.cache.selection.WindowPolicy;
import java.util.List;
import java.util.Optional;

/**
 * PyramidKV: of a prompt those tokens stay that its last ones attend to, many in the lower layers and few in the upper ones (Cai
 * et al., arXiv 2406.02069).
 *
 * <p>Of {@code budget} tokens a layer on average, the window stays in every layer; what is left falls in a straight line from
 * layer to layer, so that the last one has the part {@code 1 / beta} of the average. No layer gets more than the prompt has: the
 * last ones then get more. A prompt of less than twice the average is kept alike by all layers, as in the published code, which
 * rounds every layer down; here all layers together have exactly what equal budgets would be. Scores, chunks and rollback are
 * as in SnapKV, and so is {@code heads=adaptive} (Feng et al., Ada-KV, arXiv 2407.11550).
 */
public final class PyramidKvCache implements CacheMethod {
    @Override
    public String name() {
        return "pyramidkv";
    }

    @Override
    public String summary() {
        return "of a prompt the tokens that its last tokens attend to, more in lower layers";
    }

    @Override
    public String source() {
        return "Cai et al., PyramidKV, arXiv 2406.02069";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Lower layers attend to much of a prompt, upper ones to few tokens. So lower layers keep more of what the end"
                        + " of the prompt attends to, upper ones less; what is forgotten is lost for a second question.",
                "keep times those of the store on average over the layers, and 4 bytes a token and head",
                List.of(
                        "LongBench: about the full cache's with 12 % of it",
                        "LLaMA-3-70B: needle in a haystack found with 128 tokens a layer"),
                List.of("kvasir-tiny, 2,048 tokens, keep 0.2: perplexity 2.665 (exact 2.670), KL"
                        + " divergence 0.00409; retrieval 96.9 % for the question it was compressed"
                        + " for, 34.4 % for the next"));
    }

    @Override
    public List<CacheOption> options() {
        List<CacheOption> options = WindowPolicy.options("0.25", 8);
        options.add(CacheOption.number(
                "beta", 20, "one part in so many of the average is for the last layer", "at least 1; 1: layers alike"));
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
        CacheSpec store = settings.spec("store");
        return KeptLayers.factory(
                name(),
                store.method(),
                model.shape(),
                Caches.heads(name(), store, model),
                window(settings, model.shape()).retention());
    }

    @Override
    public Optional<Policy> policy(CacheSettings settings, CacheShape shape) {
        return Optional.of(window(settings, shape));
    }

    private WindowPolicy window(CacheSettings settings, CacheShape shape) {
        int beta = settings.number("beta");
        if (beta < 1) {
            throw new InvalidInputException("pyramidkv: beta=" + beta + " is not possible, allowed: at least 1");
        }
        return WindowPolicy.of(name(), settings, shape, beta);
    }

    /**
     * Of a prompt of {@code tokens} tokens. Where heads keep different numbers, it is what they hold if all of a layer keep as
     * many: they keep as many together, and what they hold differs by less than a page of each of their stores.
     */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        WindowPolicy policy = window(settings, shape);
        CacheSpec store = settings.spec("store");
        return KeptLayers.estimate(
                shape, layer -> policy.slots(layer, tokens), false, (one, slots) -> Caches.estimate(store, one, slots));
    }
}
