package dev.kvasir.cache.method.qserve;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.HeadFactory;
import java.util.List;
import java.util.Optional;

/**
 * The KV cache of QServe: each token's keys and values of a head are 4- or 8-bit codes with an F16 scale and a fractional F16
 * zero, made when the token comes and kept in the page beside its codes (Lin et al., MLSys 2025, arXiv 2405.04532).
 *
 * <p>SmoothAttention divides keys by {@code lambda = max|K|^alpha} for each channel and multiplies queries by it, so that the
 * outlier channels of keys take no precision from the others; the factors are calibrated. Here they are applied when keys are
 * stored and once a step to the query, after RoPE; folded into the projections, as the paper does, they give the same numbers.
 * {@code smooth=false} leaves them out and needs no calibration.
 *
 * <p>Bits per element: bits + 32 / headDim. A step's own tokens are exact to each other, as in QServe's kernels. Rolls back any
 * number of tokens.
 */
public final class QServeCache implements CacheMethod {
    @Override
    public String name() {
        return "qserve";
    }

    @Override
    public String summary() {
        return "4- or 8-bit codes per token and head, keys smoothed";
    }

    @Override
    public String source() {
        return "Lin et al., QServe, MLSys 2025, arXiv 2405.04532";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "One scale and one zero for a token's whole head keep dequantization out of the inner loop; what makes that"
                        + " bearable at 4 bits is SmoothAttention, which moves the fixed outlier channels of keys into the"
                        + " queries, where they cost nothing.",
                "bits + 32/headDim",
                List.of(
                        "Llama-2-7B, WikiText-2 perplexity at 2,048, W4A8KV4: 5.47 exact, 5.70 with weight groups of 128",
                        "Llama-3-8B, the same: 6.14 exact, 6.76"),
                List.of(
                        "kvasir-tiny, 2,048 tokens, 4 bits: KL divergence 0.00215 (perplexity 2.671, exact 2.670), without smoothing 0.00281; 8 bits 7.81e-06",
                        "kvasir-tiny with planted outlier channels (kvasir convert outliers), 1,024 tokens, 4 bits: KL divergence 0.00691, without smoothing 0.189"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.choice("bits", "4", "bits of a code, unless k_bits or v_bits says otherwise", "4", "8"),
                CacheOption.choice("k_bits", "@bits", "bits of a key's code", "4", "8"),
                CacheOption.choice("v_bits", "@bits", "bits of a value's code", "4", "8"),
                CacheOption.choice("page", "64", "tokens of a page", "32", "64", "128", "256"),
                CacheOption.flag("smooth", true, "whether keys are smoothed, which takes a calibration"),
                CacheOption.decimal("alpha", "0.5", "for calibrate: exponent of the keys' maxima", "0 to 1"),
                CacheOption.decimal("beta", "0", "for calibrate: exponent of the queries' maxima", "0 to 1"),
                CacheOption.calibrationFile());
    }

    @Override
    public String positional() {
        return "bits";
    }

    @Override
    public boolean needsCalibration() {
        return true;
    }

    @Override
    public Calibrator calibrator(CacheSettings settings, CacheModel model, String fingerprint) {
        return new QServeCalibrator(settings, model.shape(), fingerprint);
    }

    @Override
    public Optional<HeadFactory> heads(CacheSettings settings, CacheModel model) {
        return Optional.of(new QServeHeads(
                settings,
                model.shape(),
                settings.flag("smooth")
                        ? Optional.of(model.calibrations().find(name(), settings.text("file")))
                        : Optional.empty()));
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return new QServeHeads(settings, shape, Optional.empty()).estimate(tokens, shape.layers() * shape.kvHeads());
    }
}
