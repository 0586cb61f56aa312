package dev.kvasir.cache.method.kivi;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.HeadFactory;
import java.util.List;
import java.util.Optional;

/**
 * KIVI, a tuning-free 2-bit cache: keys quantized per channel over groups of tokens, values per token over groups of
 * channels, the newest tokens exact (Liu et al., ICML 2024, arXiv 2402.02750).
 *
 * <p>Keys have a few channels of large magnitude in every token, so a scale must not be shared across channels; values
 * have none, so a token's error should stay in that token. Of T tokens the newest T mod {@code residual} keys and
 * min(T, {@code residual}) values are exact. Bits per element of the quantized part: b + 32 / group.
 *
 * <p>Paper defaults: bits 2, group 32, residual 128. Paper figures, LongBench mean of 15 tasks: LongChat-7B-v1.5-32K 38.72
 * exact, 38.30 with 2 bits, 38.79 with 4; Mistral-7B-Instruct-v0.2 43.54, 42.43, 43.53. The authors advise 4 bits for
 * models with grouped queries.
 *
 * <p>{@code k_axis} and {@code v_axis} exchange the axes for the paper's ablation; {@code kivi(k_axis=token, residual=0)} is
 * plain per-token quantization without a window. Rollback reaches back only to what is still exact on both sides: the
 * newest T mod {@code residual} tokens (all tokens without a window).
 */
public final class KiviCache implements CacheMethod {
    @Override
    public String name() {
        return "kivi";
    }

    @Override
    public String summary() {
        return "keys quantized per channel, values per token, the newest tokens exact";
    }

    @Override
    public String source() {
        return "Liu et al., KIVI, ICML 2024, arXiv 2402.02750";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Keys have a few channels of large magnitude in every token, so a scale must not be shared across"
                        + " channels; values have none, so a token's error should stay in that token. The newest tokens"
                        + " stay exact until a group of them is full.",
                "bits + 32 / group, more while tokens are exact",
                List.of(
                        "LongChat-7B-v1.5-32K, LongBench mean of 15 tasks: 38.72 exact, 38.30 with 2 bits, 38.79 with 4",
                        "Mistral-7B-Instruct-v0.2, the same: 43.54 exact, 42.43 with 2 bits, 43.53 with 4",
                        "the authors advise 4 bits for models with grouped queries"),
                List.of(
                        "kvasir-tiny, 2,048 tokens, 2 bits: perplexity 2.687 (exact 2.670), KL divergence 0.00532,"
                                + " top-1 95.5 %",
                        "kvasir-tiny, 2,048 tokens, 4 bits: perplexity 2.671, KL divergence 8.00e-05, top-1 99.1 %",
                        "random model of 187 M parameters, 16 KV heads, depth 8,192, 2 bits: decode 1.43 times as fast"
                                + " as exact(f16)"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.choice(
                        "bits", "2", "bits of a code, unless k_bits or v_bits says otherwise", "2", "4", "8"),
                CacheOption.choice("k_bits", "@bits", "bits of a key's code", "2", "4", "8"),
                CacheOption.choice("v_bits", "@bits", "bits of a value's code", "2", "4", "8"),
                CacheOption.choice("group", "32", "numbers that share a scale", "16", "32", "64", "128"),
                CacheOption.number(
                        "residual",
                        128,
                        "newest tokens that stay exact",
                        "multiples of 32 and of group, or 0 where both axes are token"),
                CacheOption.choice("dtype", "f16", "type of the exact tokens", "f32", "bf16", "f16"),
                CacheOption.choice("k_axis", "channel", "what shares a scale among keys", "channel", "token"),
                CacheOption.choice("v_axis", "token", "what shares a scale among values", "token", "channel"));
    }

    @Override
    public Optional<HeadFactory> heads(CacheSettings settings, CacheModel model) {
        return Optional.of(new KiviHeads(settings, model.shape().headDim()));
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return new KiviHeads(settings, shape.headDim()).estimate(tokens, shape.layers() * shape.kvHeads());
    }
}
