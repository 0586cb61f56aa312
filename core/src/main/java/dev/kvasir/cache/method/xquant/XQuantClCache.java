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
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Accumulator;
import dev.kvasir.cache.store.MatrixProduct;
import dev.kvasir.cache.store.PackedValues;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * XQuant-CL: of each layer's input only the quantized difference to the layers before it is kept (Tomar, Hooper et al., arXiv
 * 2508.10395).
 *
 * <p>The residual stream changes slowly from layer to layer, so a difference needs 2 or 3 bits where the input needs 4. The
 * first {@code base_layers} layers are kept as {@link XQuantCache} keeps them; the last of these starts a sum {@code [tokens]
 * [hiddenSize]} to which each layer adds its stored difference at every step, and of which its keys and values are made. A
 * difference is always taken to that sum, so that errors do not grow with depth. With grouped queries (variant D) what is stored
 * are the latents of the difference in the basis of keys and values together; what that basis leaves out of the sum, the
 * projections do not see.
 *
 * <p>Bits per element, with N base layers of L, n h keys of a token and d inputs: C {@code (N (base_bits + 32 / group) + (L - N)
 * (bits + 32 / group)) d / (2 n h L)} and {@code 16 d / (2 n h L)} for the sum, which the paper's sizes leave out and ours count.
 * Paper defaults: 3 bits (10x) or 2 (12.5x), 3 base layers of 4 bits, groups of 128. Paper figures: perplexity up by 0.01 at 10x
 * and by 0.1 at 12.5x.
 *
 * <p>Inputs are taken after the norm, whose gains differ between layers; the paper does not say how it takes them. Rollback: any
 * number of tokens with C; with D and more than one base layer, what those have not quantized by channel yet.
 */
public final class XQuantClCache implements CacheMethod {
    @Override
    public String name() {
        return "xquant-cl";
    }

    @Override
    public String summary() {
        return "quantized differences of each layer's input to the layers before, keys and values made again at every step";
    }

    @Override
    public String source() {
        return "Tomar, Hooper et al., XQuant, arXiv 2508.10395";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "As xquant, but what enters a layer differs little from what entered the one before: of all layers but the"
                        + " first few only the difference to the sum of what is stored is kept, in 2 or 3 bits. Differences are"
                        + " taken to that sum, not to the layer before, so that errors do not grow with depth. Every step adds"
                        + " up all layers' differences of the whole context.",
                "for N base layers of L, where each query head has its own KV head: (N (base_bits + 32 / group) + (L - N) (bits +"
                        + " 32 / group) + 16) hiddenSize / (2 kvHeads headDim L), of which 16 are the sum; with grouped queries"
                        + " (N (base_bits + 32 / group) + (L - N) (bits + 32 / group)) / L and the sum",
                List.of(
                        "several models: perplexity up by 0.01 at a tenth of the size, by 0.1 at 1 / 12.5, the sum not counted"),
                List.of(
                        "kvasir-tiny, 1,024 tokens, 3 bits: perplexity 3.013 (exact 3.008), KL divergence 0.00294, top-1 95.7 %, the"
                                + " first 3 of 6 layers with 4 bits; xquant(3) 0.00673",
                        "kvasir-tiny, 1,024 tokens, 2 bits: perplexity 3.026, KL divergence 0.00674, top-1 92.0 %; xquant(2) 0.0507",
                        "kvasir-tiny, depth 992: decode at 0.08 to 0.16 of the speed of exact(f16)"));
    }

    @Override
    public String positional() {
        return "bits";
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.choice("bits", "3", "bits of a difference's code", "2", "3", "4", "8"),
                XQuantCache.group(),
                CacheOption.number("base_layers", 3, "first layers that are kept by themselves", "1 to 8"),
                CacheOption.choice("base_bits", "4", "bits of their codes", "4", "8"),
                CacheOption.choice(
                        "variant",
                        "auto",
                        "what is kept: c the difference, d its latents; auto: d where the input is as large as keys and"
                                + " values",
                        "auto",
                        "c",
                        "d"),
                CacheOption.choice("acc", "f16", "type of the sum that layers pass on", "f16", "f32"),
                XQuantCache.quantizedPrefill());
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of(XQuantCache.ALONE);
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        DeltaPlan plan = DeltaPlan.of(settings, model.shape());
        Projections weights = model.projections();
        // Fails here rather than at the first layer if they are not known.
        weights.keys(0);
        return (layer, pool, kernels) -> layer < plan.start()
                ? XQuantCache.layer(plan.base(), model.rotary(layer), weights, layer, pool, kernels)
                : group(plan, model, weights, pool, kernels);
    }

    private static DeltaGroup group(
            DeltaPlan plan, CacheModel model, Projections weights, PagePool pool, Kernels kernels) {
        Accumulator sum =
                new Accumulator(pool, kernels, plan.element(), plan.shape().hiddenSize());
        List<DeltaLayer> layers = new ArrayList<>();
        for (int layer = plan.start(); layer < plan.shape().layers(); layer++) {
            DeltaLayer.Weights own = new DeltaLayer.Weights(
                    kernels,
                    model.rotary(layer),
                    plan.base().latent() ? Optional.of(Latents.ofBoth(weights, layer)) : Optional.empty(),
                    new MatrixProduct(kernels, weights.keys(layer)),
                    new MatrixProduct(kernels, weights.values(layer)),
                    layer == plan.start());
            layers.add(new DeltaLayer(plan, own, new PackedValues(pool, kernels, plan.rows(layer)), sum));
        }
        return new DeltaGroup(layers, sum);
    }

    /** The factors of the first layers' projections and the bases of the others' (D), in F32. */
    @Override
    public long weightBytes(CacheSettings settings, CacheShape shape) {
        return DeltaPlan.of(settings, shape).factorBytes();
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return DeltaPlan.of(settings, shape).estimate(tokens);
    }
}
