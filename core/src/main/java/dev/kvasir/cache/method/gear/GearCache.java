package dev.kvasir.cache.method.gear;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.kernel.Kernels;
import java.util.List;

/**
 * GEAR, a quantized cache whose error is approximated by low-rank factors and sparse outliers (Kang et al., 2024, arXiv
 * 2403.05527, version 2 and later).
 *
 * <p>The error of a good quantizer still has structure: a few huge entries, which also stretch the ranges of their groups,
 * and a part that tokens share, seen as a fast-falling head of its spectrum. So X ~ D + L + S: the outliers S are taken out,
 * the backbone quantizes the rest to D, and factors L of rank r, for each head, approximate what that left over. GEAR-L
 * keeps no S: most of the gain for a fraction of the bytes.
 *
 * <p>A prompt becomes one chunk of rank {@code rank}; the newest tokens stay exact until {@code buffer} of them form one
 * more chunk, of rank {@code decode_rank}. A step of at least {@code buffer} tokens counts as a prompt, or as a part of one
 * that is read in parts. Old chunks never change.
 *
 * <p>Bits per element of a chunk of n tokens and d channels: backbone b + 32 / group (KCVT: keys b + 32 / n, values
 * b + 32 / all channels of the layer), factors 16 r (n + d) / (n d), outliers 32 s. A key channel has floor(n s / 2)
 * outliers at either end, so a chunk of 64 keys has none at s = 0.02.
 *
 * <p>Paper defaults: rank 4 and 2, s = 0.02, 3 power iterations, buffer 64; at 4 bits KCVT (keys per channel over the whole
 * chunk, values per token over all heads), at 2 bits KIVI's axes with groups of 64. Paper figures: GSM8K with chain of
 * thought on LLaMA3-8B, 2 bits: 54.21 exact, KIVI 30.17, GEAR 54.59. Memory against F16: KIVI 21.7 %, GEAR-L 23.6 %, GEAR
 * 27.6 % at 2 bits.
 *
 * <p>Rolls back as far as the buffer reaches.
 */
public final class GearCache implements CacheMethod {
    private static final String[] BITS = {"2", "3", "4", "5", "6", "8"};

    @Override
    public String name() {
        return "gear";
    }

    @Override
    public String summary() {
        return "a quantized cache with its error approximated by low-rank factors and sparse outliers";
    }

    @Override
    public String source() {
        return "Kang et al., GEAR, 2024, arXiv 2403.05527";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "The error of a good quantizer still has structure: a few huge entries, which also stretch the ranges of"
                        + " their groups, and a part that tokens share. So the largest and smallest entries of each key"
                        + " channel and value token are stored apart, any quantizer takes the rest, and factors of a low"
                        + " rank approximate, head by head, what that left over. gear-l keeps no outliers: most of the"
                        + " gain for a fraction of the bytes. New tokens stay exact until a buffer of them is full.",
                "bits + 32 / group (kcvt: keys 32 / tokens of the chunk, values 32 / channels of all heads)"
                        + " + 16 rank (1 / tokens of the chunk + 1 / channels of the head), for gear + 32 sparsity; more"
                        + " while tokens are exact",
                List.of(
                        "LLaMA3-8B, GSM8K with chain of thought, 2 bits: 54.21 exact, KIVI 30.17, GEAR 54.59",
                        "2 bits, bytes against F16: KIVI with groups of 64 21.7 %, GEAR-L 23.6 %, GEAR 27.6 %",
                        "4 bits, bytes against F16: KCVT 27.1 %, GEAR-L 29.0 %, GEAR 31.0 %",
                        "peak memory up to 2.39 times less, throughput 2.10 to 5.07 times as high as F16"),
                List.of(
                        "kvasir-tiny, 2,048 tokens, 2 bits: KL divergence 0.0165 of the backbone alone (perplexity 2.717, exact"
                                + " 2.670), 0.0127 of gear-l (2.705), 0.0114 of gear (2.708)",
                        "kvasir-tiny, 2,048 tokens, 4 bits: KL divergence 2.88e-04 of the backbone alone, 2.17e-04 of gear-l",
                        "its heads of 64 channels make factors dear, 1.03 bits of rank 4: the backbone alone with 3 bits takes"
                                + " as much as gear-l with 2 and has KL divergence 0.00126"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.choice(
                        "variant",
                        "gear-l",
                        "what corrects the backbone: factors and outliers, factors, nothing",
                        "gear",
                        "gear-l",
                        "backbone"),
                CacheOption.choice("bits", "2", "bits of a code, unless k_bits or v_bits says otherwise", BITS),
                CacheOption.choice("k_bits", "@bits", "bits of a key's code", BITS),
                CacheOption.choice("v_bits", "@bits", "bits of a value's code", BITS),
                CacheOption.choice(
                        "backbone",
                        "auto",
                        "what shares a scale: kcvt (a key channel, a token's values), kivi (the same in groups), a token's"
                                + " group, a channel's group; auto is kcvt from 4 bits on, else kivi",
                        "auto",
                        "kcvt",
                        "kivi",
                        "token",
                        "channel"),
                CacheOption.choice("group", "64", "numbers that share a scale, but for kcvt", "16", "32", "64", "128"),
                CacheOption.choice(
                        "quantizer",
                        "min_max",
                        "how a group becomes codes: between its extremes, around zero, as q4_0, q5_0 and q8_0 do",
                        "min_max",
                        "symmetric",
                        "ggml"),
                CacheOption.number("rank", 4, "rank of a prompt's factors", "0 to 16"),
                CacheOption.number("decode_rank", 2, "rank of the factors of a chunk of new tokens", "0 to rank"),
                CacheOption.decimal("sparsity", "0.02", "share of outliers, half at either end", "0 to 0.1"),
                CacheOption.number("loop", 3, "power iterations", "1 to 8"),
                CacheOption.number(
                        "buffer",
                        64,
                        "new tokens that stay exact until they are compressed together",
                        "multiples of 32 and, for groups of tokens, of group"),
                CacheOption.choice("dtype", "f16", "type of the exact tokens", "f32", "bf16", "f16"));
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        GearPlan plan = new GearPlan(settings, model.shape());
        Workspace.Store workspaces = new Workspace.Store(Kernels.best(), 2 * plan.kvHeads);
        return (layer, pages, kernels) -> new GearLayer(plan, pages, kernels, workspaces);
    }

    /** Of a prompt: what is decoded has chunks, and factors, of its own. */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return new GearPlan(settings, shape).estimate(tokens, shape.layers());
    }
}
