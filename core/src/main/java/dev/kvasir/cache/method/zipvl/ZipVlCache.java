package dev.kvasir.cache.method.zipvl;

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
import dev.kvasir.cache.segment.SegmentLayout;
import dev.kvasir.cache.selection.KeptLayers;
import java.util.List;
import java.util.Optional;

/**
 * ZipVL: each layer measures how many tokens of a prompt hold a share tau of its attention; only these attend, and these get 4
 * bits, the others 2 (He et al., 2024, arXiv 2410.08584, first version).
 *
 * <p>Probe rows, 64 newest and 64 random, are asked before the prompt attends. Their column sums, averaged over all heads,
 * give the number p: the fewest columns that hold tau of the sum. Which p: those with the highest sums divided by the probes
 * that can see a column, and the last token, whose output makes the logits. One set serves all heads of a layer. The p tokens
 * attend to each other; the others get zeros, go on through the residual stream, and may matter again in the next layer.
 *
 * <p>{@code cache=drop} is the paper's second version: unimportant tokens are not stored at all, the others in {@code store},
 * with their positions. Otherwise storage is ZipCache's: keys per channel with a range for each set, channel-separable tokenwise values. {@code interval}
 * decoded tokens make a segment, judged by the last query alone; its share is taken of what it gives to them. A prompt in
 * chunks: the first chunk, and every later one of at least {@code interval} tokens, is probed and chosen from by itself; its
 * important tokens attend to all that is stored too. Rolls back to the last segment.
 *
 * <p>Paper figures: LLaMA3-8B, GSM8K, cache only: 54.06 at a mean ratio of 28.6 % (6.18x), exact 55.88; LongVA-7B, 128
 * frames, Video-MME 52.4 at 42.1 % (52.6 in full), attention operations less by 82.3 %.
 */
public final class ZipVlCache implements CacheMethod {
    @Override
    public String name() {
        return "zipvl";
    }

    @Override
    public String summary() {
        return "each layer measures how many tokens matter: only these attend in the prompt and get 4 bits, the others 2";
    }

    @Override
    public String source() {
        return "He et al., ZipVL, arXiv 2410.08584";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "How many tokens matter differs from layer to layer and from prompt to prompt, so it is measured: as many as"
                        + " hold a share tau of the attention of a few probe rows. Only these attend to each other, which"
                        + " saves most of a long prompt's attention, and the same choice decides who gets 4 bits and who 2.",
                "bits_hi r + bits_lo (1 - r) + 40/n + 16/C + 1/(2 C), r the measured share, C channels of all KV heads",
                List.of(
                        "LLaMA3-8B, GSM8K, cache only: 55.88 exact, 54.06 at 6.18x (ZipCache at a fixed 70 %: 53.75 at 4.69x)",
                        "LongVA-7B, 128 frames, Video-MME: 52.6 in full, 52.4 with 82.3 % fewer attention operations"),
                List.of("kvasir-tiny, 2,048 tokens, defaults: perplexity 2.675 (exact 2.670), KL"
                        + " divergence 0.00244 at 4.09 bits per element; retrieval 100 %"));
    }

    @Override
    public String positional() {
        return "tau";
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.decimal("tau", "0.975", "share of attention that important tokens hold", "above 0 to 1"),
                CacheOption.number("recent", 64, "newest rows of a prompt that are probes", "at least 1"),
                CacheOption.number("random", 64, "further rows that are probes", "any number"),
                CacheOption.choice("bits_hi", "4", "bits of an important token's code", "2", "3", "4", "8"),
                CacheOption.choice("bits_lo", "2", "bits of another token's code", "2", "3", "4", "8"),
                CacheOption.number("interval", 100, "decoded tokens of a segment", "2 to 4096"),
                CacheOption.flag("sparse", true, "whether only important tokens of a prompt attend"),
                CacheOption.number("min_tokens", 256, "prompts of fewer tokens attend in full", "any number"),
                CacheOption.flag("force_last", true, "whether the last token is always important"),
                CacheOption.choice(
                        "cache",
                        "mixed",
                        "what others than important tokens get: bits_lo, or nothing",
                        "mixed",
                        "drop"),
                CacheOption.spec(
                        "store", "exact(f16)", "what stores the tokens that stay, if others go", "exact, block, ..."),
                CacheOption.number("seed", 0, "of random probes", "whole numbers"));
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("which weighs tokens by the attention they get");
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        VlPlan plan = VlPlan.of(settings, model.shape());
        if (drops(settings)) {
            CacheSpec store = settings.spec("store");
            return KeptLayers.factory(
                    name(),
                    store.method(),
                    model.shape(),
                    Caches.heads(name(), store, model),
                    (layer, heads, movable) -> new VlRetention(plan, heads));
        }
        return (layer, pages, kernels) -> new VlLayer(plan, pages, kernels);
    }

    private static boolean drops(CacheSettings settings) {
        return settings.text("cache").equals("drop");
    }

    /** Of a prompt all of whose tokens are important: how many will be, only the model knows. */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        SegmentLayout layout = VlPlan.of(settings, shape).layout();
        if (drops(settings)) {
            return KeptLayers.estimate(
                    shape, layer -> tokens, true, (one, size) -> Caches.estimate(settings.spec("store"), one, size));
        }
        return layout.ofAllLayers(tokens > 1 ? layout.segment(tokens, tokens) : layout.tail(tokens));
    }
}
