package dev.kvasir.cache.method.streaming;

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
 * StreamingLLM: the first tokens, to which attention flees when it finds nothing, and a rolling window of the newest (Xiao et
 * al., ICLR 2024, arXiv 2309.17453).
 *
 * <p>With {@code positions=cache}, the published way, positions are those inside the cache, in the order of its slots: a query is
 * at {@code sinks + window - 1} at most. The paper stores keys before RoPE and rotates them anew at each step. The same products
 * come from keys that keep the rotation of their true position, since those of the window are as far from the query in the text
 * as in the cache, if a copy of the query turned back to its place in the cache reads the sinks: that is what is done here, so
 * that any store serves and nothing is rotated twice. With {@code positions=true} sinks are as far as they are in the text.
 *
 * <p>A query sees exactly the sinks and the window before it, whatever steps its tokens come in: a prompt is fed in blocks, and
 * bytes never grow beyond {@code sinks + window} tokens. Rolls back one token, or any number while nothing was overwritten.
 */
public final class StreamingCache implements CacheMethod {
    @Override
    public String name() {
        return "streaming";
    }

    @Override
    public String summary() {
        return "the first tokens and a rolling window of the newest";
    }

    @Override
    public String source() {
        return "Xiao et al., StreamingLLM, ICLR 2024, arXiv 2309.17453";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Softmax must put its weight somewhere, and models learn to put what they do not need on the first tokens. A"
                        + " window alone loses these and breaks; with them text of any length stays fluent in constant"
                        + " memory. What has left the window is gone.",
                "those of the store at sinks + window tokens",
                List.of(
                        "Llama-2-13B, concatenated PG19, cache of 1,024: perplexity 5.40 with 4 sinks, 5,158 with a window alone",
                        "Llama-2, MPT, Falcon and Pythia: stable perplexity over 4 million tokens",
                        "up to 22.2 times faster than computing each window anew"),
                List.of("kvasir-tiny, 2,048 tokens, window 396: perplexity 2.666 (exact 2.670), KL"
                        + " divergence 0.00777 at 3.50 bits per element; retrieval 37.5 %"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.number("window", 1020, "newest tokens that a query sees, itself among them", "at least 1"),
                CacheOption.number("sinks", 4, "first tokens that every query sees", "any number"),
                CacheOption.choice(
                        "positions", "cache", "distance of the sinks: in the cache or in the text", "cache", "true"),
                CacheOption.number("block", 256, "most tokens of a prompt that attend at once", "at least 1"),
                CacheOption.spec("store", "exact(f16)", "what stores the tokens", "exact, block, qserve, ..."));
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
        WindowPlan plan = plan(settings);
        boolean inCache = plan.cap() < WindowPlan.NO_CAP;
        if (inCache && plan.slots() > model.contextLength()) {
            throw new InvalidInputException(
                    "streaming: " + plan.slots() + " positions in the cache are not possible, allowed: "
                            + model.contextLength() + ", which the model was trained on");
        }
        CacheSpec store = settings.spec("store");
        return WindowLayer.factory(
                name(),
                store.method(),
                model.shape(),
                Caches.heads(name(), store, model),
                plan,
                layer -> inCache ? Optional.of(model.rotary(layer)) : Optional.empty());
    }

    private WindowPlan plan(CacheSettings settings) {
        int sinks = settings.number("sinks");
        int window = settings.number("window");
        boolean inCache = "cache".equals(settings.text("positions"));
        int cap = inCache ? Math.max(0, sinks + window - 1) : WindowPlan.NO_CAP;
        return WindowPlan.of(name(), sinks, window, settings.number("block"), cap);
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return Caches.estimate(settings.spec("store"), shape, plan(settings).sizeOf(tokens));
    }
}
