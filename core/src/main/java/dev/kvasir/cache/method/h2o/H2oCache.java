package dev.kvasir.cache.method.h2o;

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
import dev.kvasir.cache.selection.AccumulatedScores;
import dev.kvasir.cache.selection.Budget;
import dev.kvasir.cache.selection.HeadTokens;
import dev.kvasir.cache.selection.Importance;
import dev.kvasir.cache.selection.KeptLayers;
import dev.kvasir.cache.selection.Policy;
import dev.kvasir.cache.selection.TopTokens;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * H2O, the heavy-hitter oracle: of all tokens those stay that have got the most attention so far, and the newest (Zhang et
 * al., NeurIPS 2023, arXiv 2306.14048).
 *
 * <p>Half of the budget is for heavy hitters and half for the newest tokens, as in the paper. Attention is summed over all
 * queries since the beginning and over the query heads of a KV head, each KV head decides for itself, after every step. The
 * prompt's own attention is exact; what goes, goes at its end. Nothing can be rolled back: sums do not forget.
 */
public final class H2oCache implements CacheMethod {
    @Override
    public String name() {
        return "h2o";
    }

    @Override
    public String summary() {
        return "the tokens that have got the most attention, and the newest";
    }

    @Override
    public String source() {
        return "Zhang et al., H2O, NeurIPS 2023, arXiv 2306.14048";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Most attention goes to few tokens, and those that got much so far go on getting it. A head keeps these, and"
                        + " the newest tokens, and forgets the others for good: what nobody has asked for yet is lost.",
                "keep times those of the store, and 8 bytes a token and head",
                List.of(
                        "OPT-6.7B and OPT-30B, 20 % heavy hitters: up to 29 times the throughput of DeepSpeed and Accelerate, 3 times"
                                + " that of FlexGen"),
                List.of("kvasir-tiny, 2,048 tokens, keep 0.2: perplexity 2.684 (exact 2.670), KL"
                        + " divergence 0.0109 at 3.63 bits per element; retrieval 14.1 %"));
    }

    @Override
    public List<CacheOption> options() {
        List<CacheOption> options = new ArrayList<>(Budget.options("0.2"));
        options.add(CacheOption.decimal("recent", "0.5", "share of the budget for the newest tokens", "0 to 1"));
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
        TopTokens.Plan plan = plan(settings);
        return new Policy() {
            @Override
            public Importance importance(List<HeadTokens> heads) {
                return new AccumulatedScores(heads);
            }

            @Override
            public boolean hasHistory() {
                return true;
            }

            @Override
            public TopTokens.Plan plan(int layer, boolean movable) {
                return plan;
            }
        };
    }

    private TopTokens.Plan plan(CacheSettings settings) {
        double recent = settings.decimal("recent");
        if (recent > 1) {
            throw new InvalidInputException(
                    "h2o: recent=" + settings.text("recent") + " is not possible, allowed: 0 to 1");
        }
        return new TopTokens.Plan(Budget.of(name(), settings, 2), 0, 1, recent, TopTokens.When.ALWAYS);
    }

    /** Of any tokens: the budget counts. */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        int size = plan(settings).sizeAfter(0, 0, tokens);
        long indices = KeptLayers.indexBytes(shape.layers() * shape.kvHeads(), size, true);
        return Caches.estimate(settings.spec("store"), shape, size).plus(new Footprint(0, 0, 0, indices, 0));
    }
}
