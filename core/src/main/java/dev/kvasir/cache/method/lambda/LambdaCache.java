package dev.kvasir.cache.method.lambda;

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
import dev.kvasir.cache.selection.WindowLayer;
import dev.kvasir.cache.selection.WindowPlan;
import java.util.List;
import java.util.Optional;

/**
 * The cache of AccLLM: Lambda-shaped attention over a few first tokens and a window, in 4-bit codes (Liang et al., arXiv
 * 2505.03745; the shape after Han et al., LM-Infinite, arXiv 2308.16137).
 *
 * <p>A query at position {@code p} sees {@code j} if {@code j < sinks} or {@code p - j < window}. Keys are quantized after RoPE
 * and never rotated again. No distance is greater than the model was trained on: the sinks are read by a second copy of the query,
 * at {@code min(p, trained)}. With {@code positions=cache} they are as far as their slots are (StreamingLLM, arXiv 2309.17453).
 *
 * <p>The store is by default 4 bits for each token and head with an F16 scale and zero, 4 + 32 / headDim bits per element. The
 * published text confirms 4-bit codes; sinks, window and the format of scales are our choice, and options. A step's own tokens are
 * exact to each other. Bytes stay those of {@code sinks + window} tokens. Rolls back one token, or any number while nothing was
 * overwritten.
 */
public final class LambdaCache implements CacheMethod {
    @Override
    public String name() {
        return "lambda";
    }

    @Override
    public String summary() {
        return "the first tokens and a window in 4 bits, at distances the model was trained on";
    }

    @Override
    public String source() {
        return "Liang et al., AccLLM, 2025, arXiv 2505.03745; Han et al., LM-Infinite, arXiv 2308.16137";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "A decoder on a small device is bound by the bytes it moves. A window with a few first tokens makes those of"
                        + " the cache constant, 4-bit codes make them few, and no distance grows beyond what the model has"
                        + " seen in training. What has left the window is gone.",
                "those of the store at sinks + window tokens: 4 + 32/headDim",
                List.of("Llama-2-7B on an Alveo U280 with 2-bit sparse weights too, simulated: 4.07 times the energy"
                        + " efficiency and 2.98 times the throughput of FlightLLM"),
                List.of("kvasir-tiny, 2,048 tokens, window 396: perplexity 2.670 (exact 2.670), KL"
                        + " divergence 0.0105 at 0.98 bits per element; retrieval 37.5 %"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.number("window", 2044, "newest tokens that a query sees, itself among them", "at least 1"),
                CacheOption.number("sinks", 4, "first tokens that every query sees", "any number"),
                CacheOption.choice(
                        "positions",
                        "capped",
                        "distance of the sinks: in the text up to trained, or in the cache",
                        "capped",
                        "cache"),
                CacheOption.number("trained", 0, "farthest position of a query", "any number; 0: the model's context"),
                CacheOption.number("block", 256, "most tokens of a prompt that attend at once", "at least 1"),
                CacheOption.spec(
                        "store", "qserve(smooth=false)", "what stores the tokens", "exact, block, qserve, ..."));
    }

    @Override
    public String positional() {
        return "window";
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("which lets tokens go itself");
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        WindowPlan plan = plan(settings, model.contextLength());
        if (plan.cap() > model.contextLength()) {
            throw new InvalidInputException("lambda: a farthest position of " + plan.cap()
                    + " is not possible, allowed: " + model.contextLength() + ", which the model was trained on");
        }
        CacheSpec store = settings.spec("store");
        return WindowLayer.factory(
                name(),
                store.method(),
                model.shape(),
                Caches.heads(name(), store, model),
                plan,
                layer -> plan.cap() < WindowPlan.NO_CAP ? Optional.of(model.rotary(layer)) : Optional.empty());
    }

    private WindowPlan plan(CacheSettings settings, int contextLength) {
        int sinks = settings.number("sinks");
        int window = settings.number("window");
        int trained = settings.number("trained");
        int cap = "cache".equals(settings.text("positions"))
                ? Math.max(0, sinks + window - 1)
                : trained == 0 ? contextLength : trained;
        return WindowPlan.of(name(), sinks, window, settings.number("block"), cap);
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return Caches.estimate(
                settings.spec("store"), shape, plan(settings, WindowPlan.NO_CAP).sizeOf(tokens));
    }
}
