package dev.kvasir.cache.method.tova;

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
import dev.kvasir.cache.selection.HeadTokens;
import dev.kvasir.cache.selection.Importance;
import dev.kvasir.cache.selection.KeptLayers;
import dev.kvasir.cache.selection.LayerScores;
import dev.kvasir.cache.selection.Policy;
import dev.kvasir.cache.selection.TopTokens;
import dev.kvasir.cache.selection.WindowScores;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * TOVA, token omission via attention: after every step the tokens go that its last query attends to least, whichever they are
 * (Oren et al., EMNLP 2024, arXiv 2401.06104).
 *
 * <p>Nothing is protected, neither the first tokens nor the newest. Weights are summed over all heads of a layer, so that all of
 * them keep the same tokens, as in the published code; with {@code heads=each} every KV head keeps its own. A prompt, or each
 * chunk of one, attends to all that is kept and to itself and is cut at its end, by its last query. Rolls back to where a token
 * last went.
 *
 * <p>Option {@code budget} is the paper's multi-state size.
 */
public final class TovaCache implements CacheMethod {
    @Override
    public String name() {
        return "tova";
    }

    @Override
    public String summary() {
        return "the tokens that the last query attends to most";
    }

    @Override
    public String source() {
        return "Oren et al., Transformers are Multi-State RNNs, EMNLP 2024, arXiv 2401.06104";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "A transformer with a full cache is a state of one more row each step; a state of fixed size lets the row go that"
                        + " the current query needs least. Nothing is protected and nothing is added up: a token that no query"
                        + " wants just now is lost.",
                "keep times those of the store, and 4 bytes a token and head",
                List.of(
                        "language modelling and long-range understanding: nearly the full cache's, in some cases with 1/8 of it",
                        "throughput up to 4.8 times the full cache's"),
                List.of("kvasir-tiny, 2,048 tokens, keep 0.2: perplexity 2.713 (exact 2.670), KL"
                        + " divergence 0.0282 at 3.56 bits per element; retrieval 0 %"));
    }

    @Override
    public List<CacheOption> options() {
        List<CacheOption> options = new ArrayList<>(Budget.options("0.25"));
        options.add(CacheOption.choice(
                "heads",
                "layer",
                "whether the heads of a layer keep the same tokens, or each its own",
                "layer",
                "each"));
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
                policy(settings).retention());
    }

    @Override
    public Optional<Policy> policy(CacheSettings settings, CacheShape shape) {
        return Optional.of(policy(settings));
    }

    private Policy policy(CacheSettings settings) {
        TopTokens.Plan plan = new TopTokens.Plan(Budget.of(name(), settings, 1), 0, 0, 0, TopTokens.When.ALWAYS);
        boolean together = settings.text("heads").equals("layer");
        return new Policy() {
            @Override
            public Importance importance(List<HeadTokens> heads) {
                return together ? new LayerScores(heads, 1) : new WindowScores(heads, 1, WindowScores.Pooling.NONE, 1);
            }

            @Override
            public TopTokens.Plan plan(int layer, boolean movable) {
                return plan;
            }
        };
    }

    /** Of any tokens: the budget counts. */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        Policy policy = policy(settings);
        CacheSpec store = settings.spec("store");
        return KeptLayers.estimate(
                shape, layer -> policy.slots(layer, tokens), false, (one, slots) -> Caches.estimate(store, one, slots));
    }
}
