package dev.kvasir.cache.method.zipcache;

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
 * ZipCache: salient tokens in 4 bits, the others in 2, told apart by a few probe queries whose attention is divided by how
 * many of them could see a token (He et al., NeurIPS 2024, arXiv 2405.14256).
 *
 * <p>A sequence is a list of segments, the first the prompt, the later ones {@code interval} decoded tokens each, and an
 * exact tail. In a segment keys have one scale for each channel and set, over all its tokens; values are divided by {@code
 * c = sqrt(max |V|)} of their channel and have one scale a token over all channels of the layer (channel-separable
 * tokenwise quantization). Which tokens are salient each KV head decides for itself ({@code scope}). A scale of a token
 * then serves the rows of equal rank of all heads; {@code v_rows=head} gives each head its own.
 *
 * <p>Bits per element: (n_hi bits_hi + n_lo bits_lo)/n + 32/n + 8/n + 16/C + 1/(2 headDim) for n tokens and C channels, 3.23
 * at the defaults for a prompt of 4,096 and C = 1,024, where sets are filled up to whole units of 16 tokens. A segment of 100
 * tokens costs more, and the tail 16.
 *
 * <p>Paper defaults: 4 and 2 bits, ratio 0.6 (Mistral-7B) or 0.7 (LLaMA3-8B), 5 % newest and 5 % random probes, interval
 * 100. Paper figures on GSM8K: Mistral-7B 41.62 exact, 41.24 at 4.98x; LLaMA3-8B 55.88 and 53.75 at 4.69x; LLaMA2-7B 14.18
 * and 13.50. LLaMA3-8B at 4 bits: 49.81 with tokenwise scales, 54.74 with these.
 *
 * <p>A prompt in chunks: the first chunk, and every later one of at least {@code interval} tokens, is a segment with probes
 * of its own; a shorter one joins the tail. {@code recompress=all} restores the whole cache at each flush and quantizes it
 * again with ranges over all tokens, as the released code does: errors drift, and a flush takes transient memory. {@code
 * nnz=remaining} counts all rows though only probes were summed, as the released code does. {@code random} probes need no
 * special tokens: those of the paper's ablation are unknown to a cache and not offered.
 *
 * <p>Rollback reaches back to the last probe in the tail; segments stay.
 */
public final class ZipCache implements CacheMethod {
    @Override
    public String name() {
        return "zipcache";
    }

    @Override
    public String summary() {
        return "salient tokens in 4 bits, the others in 2; keys per channel, values per token with channels separated";
    }

    @Override
    public String source() {
        return "He et al., ZipCache, NeurIPS 2024, arXiv 2405.14256";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Summed attention favours early tokens, which more rows see; divided by the rows that can see a token it"
                        + " tells what matters, and a tenth of the rows is enough to know. Salient tokens get 4 bits, the"
                        + " others 2. Scales are few: keys have one a channel, values one a token once each channel is"
                        + " divided by the root of its largest magnitude.",
                "bits_hi ratio + bits_lo (1 - ratio) + 40/n + 16/C + 1/(2 headDim), C channels of all KV heads",
                List.of(
                        "Mistral-7B, GSM8K: 41.62 exact, 41.24 at 4.98x",
                        "LLaMA3-8B, GSM8K: 55.88 exact, 53.75 at 4.69x (MiKV 35.48)",
                        "LLaMA3-8B, GSM8K, 4 bits: 49.81 tokenwise, 54.74 channelwise keys and CST values",
                        "LLaMA3-8B, GSM8K, 40 % at 4 bits: 52.54 with all rows as probes, 52.08 with newest and random"),
                List.of(
                        "kvasir-tiny, 1,024 tokens: KL divergence 0.00116 at 4.26 bits per element; 0.00172 where attention is summed, 0.00246 where tokens are drawn; retrieval 96.9, 96.9 and 100 %",
                        "kvasir-tiny, 2,048 tokens: KL divergence 0.00576 (perplexity 2.683, exact 2.670) at 3.95 bits per element"));
    }

    @Override
    public String positional() {
        return "ratio";
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.decimal("ratio", "0.6", "share of salient tokens", "0 to 1"),
                CacheOption.choice("bits_hi", "4", "bits of a salient token's code", "2", "3", "4", "8"),
                CacheOption.choice("bits_lo", "2", "bits of another token's code", "2", "3", "4", "8"),
                CacheOption.decimal("recent", "0.05", "share of newest tokens that are probes", "0 to 1"),
                CacheOption.decimal("random", "0.05", "share of random probes", "0 to 1"),
                CacheOption.number("interval", 100, "decoded tokens of a segment", "1 to 4096"),
                CacheOption.choice(
                        "nnz", "probes", "rows a sum is divided by: probes, or all remaining", "probes", "remaining"),
                CacheOption.choice(
                        "saliency", "normalized", "what makes a token salient", "normalized", "accumulated", "random"),
                CacheOption.choice("scope", "head", "who chooses salient tokens", "head", "layer"),
                CacheOption.choice(
                        "k_scheme", "channel", "what shares a scale among keys", "channel", "token", "group"),
                CacheOption.choice("v_scheme", "cst", "what shares a scale among values", "cst", "token", "group"),
                CacheOption.choice("v_rows", "layer", "channels a value's scale is for", "layer", "head"),
                CacheOption.choice(
                        "recompress", "segmented", "what a flush quantizes: new tokens, or all", "segmented", "all"),
                CacheOption.number("seed", 0, "of random probes", "whole numbers"));
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("which weighs tokens by the attention they get");
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        ZipPlan plan = new ZipPlan(settings, model.shape());
        return (layer, pages, kernels) -> new ZipLayer(plan, pages, kernels);
    }

    /** Of a prompt of {@code tokens} tokens. */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        ZipPlan plan = new ZipPlan(settings, shape);
        return tokens > 1 || (plan.layout().interval() == 1 && tokens == 1)
                ? plan.bytes(List.of(tokens), 0)
                : plan.bytes(List.of(), tokens);
    }
}
