package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.LayerFactory;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * CSKV: keys and values of all tokens as latents of a joint low rank, made straight from the layer's input, and the newest
 * tokens exact beside them (Wang et al., ENLSP-IV at NeurIPS 2024, arXiv 2409.10593).
 *
 * <p>Singular values of caches have long tails: {@code W_k ~ A B}, only {@code x A} is kept, before RoPE. Keys are rebuilt a panel
 * at a time for all heads and turned by their positions; values never are, because weighted sums of latents are taken and
 * multiplied by {@code B} once. The factors begin as the SVD of activation-aware weights and are trained layer by layer to
 * reproduce K and V, for 4-bit latents through the quantizer.
 *
 * <p>A prompt given as one step sees itself exactly. With {@code rule=sliding} the last {@code window} tokens are exact; with
 * {@code rule=flush}, the repository's, tokens gather until there are {@code window} and are dropped together. Quantized latents
 * come in blocks under both rules, and the begun block is not quantized. Tokens can be rolled back as far as what was exact is
 * still there: {@code rollback} keeps as many rows more.
 *
 * <p>Bits per element, with kept densities rho: 8 (rho_k + rho_v) + 16 window / T; with b bits, keys rho_k (b + 32 / block), values rho_v (b + 32
 * / group), where a group is a head's share of a latent. The factors are held beside the model's own projections, once for all
 * sequences.
 *
 * <p>Paper defaults: densities 0.5 and 0.2, window 32, AdamW at 5e-5 over some 13,000 sequences of 1,024 tokens. Here density 0.2;
 * {@code epochs}, {@code lr} and {@code batch} are our own choice for small models and short texts: many small batches and a larger
 * rate. Paper figures, LongChat-7B, line retrieval at 4K: 1.00 exact, 0.98 with half the channels, 0.92 with a fifth, 0.26 by ASVD alone
 * with a fifth; 4 bits 0.00 after training, 0.90 at a fifth when trained for.
 */
public final class CskvCache implements CacheMethod {
    @Override
    public String name() {
        return CskvPlan.NAME;
    }

    @Override
    public String summary() {
        return "low-rank latents of all tokens by trained factors, newest tokens exact";
    }

    @Override
    public String source() {
        return "Wang et al., CSKV, ENLSP-IV 2024, arXiv 2409.10593";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Most channels of keys and values are redundant: their singular values have a long tail. A token is kept as two"
                        + " short latents from which keys are rebuilt on read; sums of values are taken of latents and rebuilt"
                        + " once. Cutting the weights' SVD fails at a fifth of the channels; training the two factors of each"
                        + " layer to reproduce its own keys and values brings it back, and a short window of exact tokens"
                        + " covers what attention looks at most. 4-bit latents must be trained for.",
                "8 (k_density + v_density) + 16 window / T; with b bits density (b + 32 / block) for keys, density (b + 32 /"
                        + " group) for values, group a head's latent channels; the factors, 4 (rank_k + rank_v) (hidden +"
                        + " kvHeads headDim) bytes a layer, come on top, once for all sequences",
                List.of(
                        "LongChat-7B-v1.5-32k, line retrieval at 4K to 10K tokens: exact 1.00 to 0.98, half the channels 0.98"
                                + " to 0.94, a fifth 0.92 to 0.90; ASVD with a fifth 0.26 to 0.04",
                        "the same, a fifth, average: window 2 0.77, 32 0.92, 128 0.94",
                        "the same, 4-bit latents: 0.00 when quantized after training, 0.90 at a fifth when trained for"),
                List.of());
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.decimal(
                        "density",
                        "0.2",
                        "kept share of channels, unless k_density or v_density says otherwise",
                        "0.05 to 1"),
                CacheOption.decimal("k_density", "@density", "kept share of key channels", "0.05 to 1"),
                CacheOption.decimal("v_density", "@density", "kept share of value channels", "0.05 to 1"),
                CacheOption.choice(
                        "bits",
                        "16",
                        "bits of a latent's number, unless k_bits or v_bits says otherwise",
                        "16",
                        "8",
                        "4"),
                CacheOption.choice("k_bits", "@bits", "bits of a key latent's number", "16", "8", "4"),
                CacheOption.choice("v_bits", "@bits", "bits of a value latent's number", "16", "8", "4"),
                CacheOption.flag("qat", true, "whether 4-bit latents use the factors that were trained for them"),
                CacheOption.number("window", 32, "tokens that stay exact", "2 to 4096"),
                CacheOption.choice(
                        "rule",
                        "sliding",
                        "the last tokens are exact, or they gather and are dropped together",
                        "sliding",
                        "flush"),
                CacheOption.choice("block", "32", "tokens whose latents are quantized together", "32", "64", "128"),
                CacheOption.number(
                        "rollback", 0, "tokens that can be taken back; as many more rows stay exact", "0 to 4096"),
                CacheOption.choice(
                        "dtype", "f16", "type of exact tokens and of latents of 16 bits", "f32", "bf16", "f16"),
                CacheOption.choice("init", "asvd", "for calibrate: what factors begin as", "svd", "asvd", "pca"),
                CacheOption.decimal(
                        "alpha", "0.5", "for calibrate: exponent of the activations' means in asvd", "0 to 1"),
                CacheOption.number("epochs", 8, "for calibrate: how often the text is learnt from", "0 to 1000"),
                CacheOption.number("batch", 256, "for calibrate: tokens of a step", "multiples of block up to 65536"),
                CacheOption.decimal(
                        "lr", "0.004", "for calibrate: AdamW's first step size, which falls to 0", "0 to 1"),
                CacheOption.calibrationFile());
    }

    @Override
    public String positional() {
        return "density";
    }

    @Override
    public boolean needsCalibration() {
        return true;
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("which keeps neither keys nor values but what it makes of a layer's input");
    }

    @Override
    public Calibrator calibrator(CacheSettings settings, CacheModel model, String fingerprint) {
        return new CskvCalibrator(settings, model, fingerprint);
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        CskvPlan plan = CskvPlan.of(settings, model.shape());
        Calibration calibration = model.calibrations().find(name(), settings.text("file"));
        List<LayerFactors> factors = LayerFactors.of(plan, calibration);
        List<CskvLayer.Shared> shared = IntStream.range(0, factors.size())
                .mapToObj(layer -> new CskvLayer.Shared(plan, factors.get(layer), model.rotary(layer)))
                .toList();
        return (layer, pool, kernels) -> CskvLayer.empty(shared.get(layer), pool, kernels);
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return CskvPlan.of(settings, shape).estimate(tokens);
    }
}
