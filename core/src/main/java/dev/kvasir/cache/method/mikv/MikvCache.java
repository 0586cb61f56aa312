package dev.kvasir.cache.method.mikv;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.LayerFactory;
import java.util.List;
import java.util.Optional;

/**
 * MiKV, "No Token Left Behind": importance decides how many bits a token gets, not whether it lives. Important tokens are
 * kept as they are, all others in a few bits (Yang et al., 2024, arXiv 2402.18096).
 *
 * <p>Of T tokens each KV head holds its own floor({@code ratio} T) in the importance cache: the newest half ({@code recent})
 * and of the others those that were given the most attention so far (H2O's accumulated score, summed over the query heads of
 * the KV head). The rest are in the retained cache, quantized per token over groups of half a head; keys there are balanced,
 * b k against q / b with {@code b = sqrt(max |q| / max |k|)} per channel, because at 2 bits outlier channels drown the
 * others. A step attends before anything is demoted; demotion is final; of equal scores the older token goes first.
 *
 * <p>Bits per element: 16 in the importance cache (or {@code importance_bits} + 32 / group), {@code bits} + 32 / group in
 * the other: 5.2 at the defaults for heads of 128. Positions (32 bits a token), scores (32 bits an important token) and b
 * come on top, which the paper does not count; they are counted here as indices and codebooks.
 *
 * <p>Paper defaults: ratio 0.2, bits 2, group half a head, exact important tokens. Paper figures: Llama-2-7B line retrieval
 * with half of the tokens out of the importance cache, 43 % if they are dropped, 99.8 % if kept at 3 bits; MMLU 43.9 at a
 * quarter of the bytes, 42.7 at a fifth; cache sizes at ratio 0.2 and 2 bits of 33, 23, 18 and 16 % for important tokens of
 * 16, 8, 4 and 2 bits.
 *
 * <p>A prompt that comes in chunks: b is measured on the first chunk; each chunk attends to itself exactly and to earlier
 * ones as stored, adds its weights to the scores of tokens still important, and then the least important are demoted. A
 * first step of a single token is no prompt: b is 1 then. {@code rule=count} fixes the number of important tokens at
 * {@code ratio} times the tokens seen when the latest step of several tokens ended.
 *
 * <p>{@code bits=0} drops instead of demoting, which is H2O on the same scores: the control of the paper's experiment.
 * Rollback is refused, except where all tokens are in one tier for ever (ratio 0, or 1 of the length).
 */
public final class MikvCache implements CacheMethod {
    @Override
    public String name() {
        return "mikv";
    }

    @Override
    public String summary() {
        return "tokens of much attention exact, all others in a few bits with balanced keys";
    }

    @Override
    public String source() {
        return "Yang et al., No Token Left Behind (MiKV), 2024, arXiv 2402.18096";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "What an eviction policy drops is sometimes needed later, and even a 2-bit copy of it restores most of what is"
                        + " lost; but what matters most does need its precision. So accumulated attention decides how many"
                        + " bits a token gets, not whether it lives, and a channel balancer lets keys live with 2.",
                "16 ratio + (1 - ratio)(bits + 32/group), and 64/headDim for positions and scores",
                List.of(
                        "Llama-2-7B, line retrieval with half of the tokens out of the importance cache: 43 % dropped,"
                                + " 99.8 % kept at 3 bits",
                        "MMLU: 43.9 at 25 % of the bytes, 42.7 at 20 %",
                        "Bytes at ratio 0.2, 2 bits: 33, 23, 18, 16 % with important tokens of 16, 8, 4, 2 bits"),
                List.of(
                        "kvasir-tiny, 1,024 tokens: retrieval 100 % and KL divergence 0.00319; 3.1 % and 0.00931 where the same tokens are dropped, 31.3 % where dropping may keep 34 %",
                        "kvasir-tiny with planted outlier channels (kvasir convert outliers), 1,024 tokens: KL divergence 0.00319, without the balancer 4.81"));
    }

    @Override
    public String positional() {
        return "ratio";
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.decimal("ratio", "0.2", "share of tokens in the importance cache", "0 to 1"),
                CacheOption.choice("bits", "2", "bits of a code of the others; 0 drops them", "0", "2", "3", "4"),
                CacheOption.choice("importance_bits", "16", "bits of an important number", "2", "4", "8", "16"),
                CacheOption.choice(
                        "group",
                        "half",
                        "numbers of a token that share a scale; half of a head's channels by default",
                        "half",
                        "16",
                        "32",
                        "40",
                        "48",
                        "64",
                        "80",
                        "96",
                        "128",
                        "256"),
                CacheOption.flag("balancer", true, "level the channels of quantized keys"),
                CacheOption.decimal("recent", "0.5", "share of the importance cache for the newest tokens", "0 to 1"),
                CacheOption.choice(
                        "rule",
                        "share",
                        "ratio is of the present length, or counted once from the prompt",
                        "share",
                        "count"),
                CacheOption.number("least", 0, "important tokens at least", "whole numbers"));
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("which weighs tokens by the attention they get");
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        MikvPlan plan = new MikvPlan(settings, model.shape());
        return (layer, pages, kernels) -> new MikvLayer(plan, pages, kernels);
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return new MikvPlan(settings, shape).estimate(tokens);
    }
}
