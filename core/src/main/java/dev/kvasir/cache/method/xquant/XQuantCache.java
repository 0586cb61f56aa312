package dev.kvasir.cache.method.xquant;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Projections;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.MatrixProduct;
import dev.kvasir.tensor.RotaryTable;
import java.util.List;
import java.util.Optional;

/**
 * XQuant: the quantized input of each attention layer is kept, and keys and values are made of it again at every step (Tomar,
 * Hooper et al., arXiv 2508.10395).
 *
 * <p>Keys and values are two linear images of one tensor, the normed input X, which is half their size where every query head
 * has a KV head of its own, has no rotary embedding and survives few bits better than they do. Variant A keeps X, per token in
 * groups of channels. With grouped queries X is larger than keys and values: variant B keeps the latents {@code X U_k}, per
 * channel in groups of tokens, and {@code X U_v}, per token, where {@code W = U M} is the weights' singular value decomposition
 * at full rank, so that nothing is lost but by quantization; its gain is quality, not size.
 *
 * <p>Keys are made again a tile of 32 tokens at a time, for all heads together, turned by their own positions and forgotten.
 * Values are not: sums are made of X, or of the latents, and go through the weights once. A new token sees its own key and
 * value exact. The price is {@code width * kvHeads * headDim} products for every token of the context, layer and step.
 *
 * <p>Bits per element of keys and values, d the hidden size and n h all keys of a token: A {@code (b + 32 / group) d / (2 n h)},
 * B {@code b + 32 / group} and up to a group of tokens of the keys' latents in F16. Paper defaults: 4 bits, groups of 128. Paper
 * figures, WikiText-2 perplexity: Llama-2-7B 5.47 exact, 5.54 with A at 4 bits (0.13 of the size), 6.65 at 3 bits; KIVI 6.42 at 2
 * bits (0.14). Llama-3.1-8B 6.24 exact, 6.28 with B at 4 bits, 6.43 at 3; KIVI 6.31 and 6.59.
 *
 * <p>Rollback: A takes back any number of tokens, B what is not quantized yet by channel (with {@code k_axis=token} any number).
 */
public final class XQuantCache implements CacheMethod {
    static final String ALONE =
            "which keeps the input of a layer and makes keys of it again, not keys that it is given";

    @Override
    public String name() {
        return "xquant";
    }

    @Override
    public String summary() {
        return "the layers' quantized inputs, of which keys and values are made again at every step";
    }

    @Override
    public String source() {
        return "Tomar, Hooper et al., XQuant, arXiv 2508.10395";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Keys and values are two linear images of one tensor, the layer's input, which is half their size and survives"
                        + " few bits better. With grouped queries, where it would be larger, its latents in the bases of the"
                        + " two projections are kept instead, which lose nothing but by quantization. The price is time: keys"
                        + " are made again for the whole context at every step.",
                "(bits + 32 / group) hiddenSize / (2 kvHeads headDim) where each query head has its own KV head; with grouped"
                        + " queries bits + 32 / group, more while tokens are exact",
                List.of(
                        "Llama-2-7B, WikiText-2 perplexity: 5.47 exact, 5.47 with 8 bits, 5.54 with 4 (0.13 of the size), 6.65"
                                + " with 3; KIVI 6.42 with 2 bits (0.14)",
                        "Llama-3.1-8B, the same: 6.24 exact, 6.28 with 4 bits, 6.43 with 3; KIVI 6.31 and 6.59",
                        "Llama-2-7B-Chat, LongBench mean: 37.1 exact, 37.5 with 4 bits, 32.8 with 3",
                        "no latency is reported"),
                List.of(
                        "kvasir-tiny, 1,024 tokens, 4 bits: perplexity 3.015 (exact 3.008), KL divergence 0.00119, top-1 95.9 %",
                        "kvasir-tiny, 1,024 tokens, 3 bits: perplexity 3.030, KL divergence 0.00673, top-1 92.0 %; latents of keys by"
                                + " token 0.0132; variant a, which is as large here, 0.0404",
                        "kvasir-tiny, 1,024 tokens, 2 bits: perplexity 3.194, KL divergence 0.0507, top-1 85.5 %",
                        "kvasir-tiny, depth 992: decode at 0.30 of the speed of exact(f16), variant a at 0.11"));
    }

    @Override
    public String positional() {
        return "bits";
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.choice("bits", "4", "bits of a code", "8", "4", "3", "2"),
                group(),
                CacheOption.choice(
                        "variant",
                        "auto",
                        "what is kept: a the input, b its latents; auto: b where the input is as large as keys and values",
                        "auto",
                        "a",
                        "b"),
                CacheOption.choice(
                        "k_axis", "channel", "what shares a scale among latents of keys", "channel", "token"),
                CacheOption.choice(
                        "v_axis", "token", "what shares a scale among latents of values", "token", "channel"),
                quantizedPrefill());
    }

    static CacheOption group() {
        return CacheOption.choice(
                "group",
                "128",
                "numbers that share a scale; in a token whose width it does not divide, the largest divisor below it",
                "32",
                "64",
                "128");
    }

    static CacheOption quantizedPrefill() {
        return CacheOption.flag("quantizedPrefill", false, "whether a prompt sees itself as stored");
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of(ALONE);
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        XQuantPlan plan = XQuantPlan.of(settings, model.shape());
        Projections weights = model.projections();
        // Fails here rather than at the first layer if they are not known.
        weights.keys(0);
        return (layer, pool, kernels) -> layer(plan, model.rotary(layer), weights, layer, pool, kernels);
    }

    /** A layer that stands by itself. */
    static SingleLayer layer(
            XQuantPlan plan, RotaryTable rotary, Projections weights, int layer, PagePool pool, Kernels kernels) {
        if (!plan.latent()) {
            MatrixProduct keys = new MatrixProduct(kernels, weights.keys(layer));
            MatrixProduct values = new MatrixProduct(kernels, weights.values(layer));
            return new InputLayer(plan, new InputLayer.Weights(kernels, rotary, keys, values), pool);
        }
        Latents.Factors keys = Latents.ofKeys(weights, layer);
        Latents.Factors values = Latents.ofValues(weights, layer);
        return new LatentLayer(
                plan,
                new LatentLayer.Weights(
                        kernels,
                        rotary,
                        keys.latents(),
                        new MatrixProduct(kernels, keys.rest()),
                        values.latents(),
                        new MatrixProduct(kernels, values.rest())),
                pool);
    }

    /** The two factors of either projection (B), in F32. */
    @Override
    public long weightBytes(CacheSettings settings, CacheShape shape) {
        return shape.layers() * XQuantPlan.of(settings, shape).factorBytes();
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        Footprint layer = XQuantPlan.of(settings, shape).estimate(tokens);
        Footprint all = Footprint.ZERO;
        for (int i = 0; i < shape.layers(); i++) {
            all = all.plus(layer);
        }
        return all;
    }
}
