package dev.kvasir.cache.method.minicache;

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
 * MiniCache: neighbouring layers from the middle of the depth on share the directions of their keys and values (Liu et al.,
 * NeurIPS 2024, arXiv 2405.14366).
 *
 * <p>In deep layers the keys (and values) that a token has in two neighbouring layers point in similar directions; their
 * lengths differ. A pair of layers {@code (S, S + 1), (S + 2, S + 3), ...} stores one unit direction {@code e} of each token and
 * head, interpolated on the sphere, and both lengths in F16; the few tokens whose directions disagree most are kept exact in
 * both layers. Directions, and the layers below {@code S} (and a last one left over), are stored by another method, here called
 * {@code inner}.
 *
 * <p>Bits per element of a merged layer: b / 2 + 16 / headDim + 16 rho, {@code b} those of {@code inner} and rho the share of
 * tokens kept, which the data decide (below 1 % in the paper). {@link #estimate} leaves them out.
 *
 * <p>Paper figures: LongBench mean of 7 tasks, 4 bits: Llama-2-7B-Chat 35.44 (exact 36.41, KIVI with 2 bits 31.51); Mistral-7B
 * 35.75 (37.33, 33.43). Its compression of 5.02 does not count lengths, kept tokens and windows; a cache here counts them.
 *
 * <p>Ours, not the paper's: lengths are divided by what quantization makes of a direction's length, so that restored vectors
 * keep theirs; a token whose directions oppose each other to within 0.001 radians is kept whatever {@code retention} says;
 * {@code minCosine} refuses a pair whose first tokens agree less than that.
 *
 * <p>A prompt attends to its own exact states; in a chunked prefill earlier chunks are read merged, and each chunk decides with
 * the range of distances up to its end. Until a step
 * is merged nobody knows which of its tokens are kept, so the budget must have room for all of them, in F16; only those that
 * are kept are allocated. Rollback reaches back through the window, and further where {@code inner} does.
 */
public final class MiniCache implements CacheMethod {
    @Override
    public String name() {
        return "minicache";
    }

    @Override
    public String summary() {
        return "pairs of layers share directions, stored by another method";
    }

    @Override
    public String source() {
        return "Liu et al., MiniCache, NeurIPS 2024, arXiv 2405.14366";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "From the middle of the depth on, the keys and values that a token has in two neighbouring layers point in"
                        + " similar directions. A pair of layers stores one direction of each and both lengths; the few tokens"
                        + " that disagree are kept exact.",
                "merged layers: b/2 + 16/headDim + 16 rho, b of inner, rho the share of tokens kept; other layers: b",
                List.of(
                        "Llama-2-7B-Chat, LongBench mean of 7 tasks, 4 bits: 36.41 exact, 35.44 (KIVI with 2 bits 31.51)",
                        "Mistral-7B, the same: 37.33 exact, 35.75 (KIVI with 2 bits 33.43)",
                        "LLaMA-3-70B, GSM8K: 0.805 exact, 0.81 with 40 of 80 layers merged, 0.72 with 50",
                        "its compression of 5.02 leaves lengths, kept tokens and windows out"),
                List.of("kvasir-tiny, 2,048 tokens, defaults: perplexity 2.681 (exact 2.670), KL"
                        + " divergence 0.00733 at 4.56 bits per element; its layers do not agree"
                        + " (on prose, generate --stats: mean cosine -0.06 of keys, 0.01 of values)"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.spec(
                        "inner",
                        "kivi(bits=4)",
                        "what stores directions, and layers that are not merged",
                        "exact, kivi, block, bfp, qserve, turboquant"),
                CacheOption.decimal(
                        "start",
                        "0.5",
                        "first merged layer, or below 1 its part of the depth",
                        "from a quarter of the layers on"),
                CacheOption.decimal("t", "0.6", "weight of the deeper layer's direction", "0 to 1"),
                CacheOption.decimal("gamma", "0.05", "part of the range of distances that is kept exact", "0 to 1"),
                CacheOption.choice("merge", "slerp", "how two vectors become one", "slerp", "mean", "max-norm"),
                CacheOption.choice(
                        "retention",
                        "range",
                        "which tokens are kept: by the range of distances, a share of all, none",
                        "range",
                        "top",
                        "off"),
                CacheOption.decimal("retainTopFraction", "0.05", "share of tokens kept by retention=top", "0 to 1"),
                CacheOption.choice(
                        "scope",
                        "token",
                        "whose tokens are kept: keys' and values' apart, the keys' for both, each head's",
                        "token",
                        "shared",
                        "head"),
                CacheOption.number(
                        "window",
                        128,
                        "newest tokens that wait, exact in both layers, to be merged together",
                        "0, or a multiple of 32 up to 4096"),
                CacheOption.choice(
                        "rope", "after", "whether directions of keys are stored before RoPE", "after", "before"),
                CacheOption.decimal("minCosine", "0", "mean cosine below which a pair is refused", "0 to 1"));
    }

    @Override
    public String positional() {
        return "inner";
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("whose layers share what they store");
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        return new Pairs(Plan.of(settings, model.shape()), model);
    }

    /** Without the tokens that are kept exact. */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return Plan.of(settings, shape).estimate(tokens);
    }
}
