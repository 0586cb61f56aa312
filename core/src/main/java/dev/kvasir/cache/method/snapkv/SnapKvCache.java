package dev.kvasir.cache.method.snapkv;

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
 * SnapKV: of a prompt those tokens stay that the last ones, its observation window, attend to (Li et al., NeurIPS 2024, arXiv
 * 2404.14469). Decoded tokens all stay.
 *
 * <p>Weights are summed over the window and over the query heads of a KV head, then pooled over neighbours; each KV head keeps
 * its own tokens, and the window. A prompt fed in chunks is brought to the budget after each, by the window at the chunk's end:
 * then tokens of earlier chunks may go too, unless the store cannot let single tokens go; such a store keeps what it has, and
 * each chunk chooses among its own tokens. Rolls back to the end of the last prompt.
 *
 * <p>With {@code heads=adaptive} the heads of a layer share its budget by where the highest scores lie (Feng et al., Ada-KV,
 * arXiv 2407.11550).
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
                        "inputs of 16K tokens: 3.6 times the speed, 8.2 times less memory",
                        "380K tokens on one A100 of 80 GB, negligible loss at finding a needle"),
                List.of("kvasir-tiny, 2,048 tokens, keep 0.2: perplexity 2.666 (exact 2.670), KL"
                        + " divergence 0.00400; retrieval 93.8 % for the question it was compressed"
                        + " for, 40.6 % for the next"));
    }

    @Override
    public List<CacheOption> options() {
        List<CacheOption> options = WindowPolicy.options("0.25", 32);
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
                WindowPolicy.of(name(), settings, model.shape(), 0).retention());
    }

    @Override
    public Optional<Policy> policy(CacheSettings settings, CacheShape shape) {
        return Optional.of(WindowPolicy.of(name(), settings, shape, 0));
    }

    /**
     * Of a prompt of {@code tokens} tokens. Where heads keep different numbers, it is what they hold if all keep as many: they
     * keep as many together, and what they hold differs by less than a page of each of their stores.
     */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        WindowPolicy policy = WindowPolicy.of(name(), settings, shape, 0);
        CacheSpec store = settings.spec("store");
        return KeptLayers.estimate(
                shape, layer -> policy.slots(layer, tokens), false, (one, slots) -> Caches.estimate(store, one, slots));
    }
}
