package dev.kvasir.cache.method.rotatekv;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.LayerFactory;
import java.util.List;
import java.util.Optional;

/**
 * RotateKV, a 2-bit cache by outlier-aware rotation (Su et al., IJCAI 2025, arXiv 2501.16383).
 *
 * <p>A Hadamard rotation spreads outlier channels over all channels, but leaves each with a mean of its own, and after RoPE
 * the channels have been smeared already. So keys are rotated before RoPE, over 4 heads at once, and the rotated channels of
 * the whole layer are put in the order of their means, learnt beforehand, so that channels of one quantization group are
 * alike. Values are rotated per head. Attention sinks, the tokens of the 20 largest activations of the residual stream that
 * enters a layer, are kept in F16; of a token that comes alone after a prompt there is never a sink.
 *
 * <p>Bits per element: b + P / group + 16 S / n, with P = 16 (E4M3 scale and signed-byte zero) or 24 (F16 scale) and S = 20 sinks
 * among n tokens, whose codes are kept as well.
 *
 * <p>Paper defaults: bits 2, group 128, 4 heads, clip 0.8 at 2 bits and none above, 20 activations, signed order, the prompt
 * reads itself quantized. Paper figures, WikiText-2 perplexity at 2 bits and 4,096 tokens: LLaMA-2-7B 5.50 (exact 5.12, QuaRot
 * 8.94, KVQuant 5.59), LLaMA-2-13B 4.84 (4.57), LLaMA-3-8B 6.69 (5.75), Mistral-7B 5.24 (4.91).
 *
 * <p>{@code rotatePosition=post} with {@code headsPerRotation=1, reorder=off} is a rotation after RoPE as in QuaRot;
 * {@code reorder=off} needs no calibration. Rollback reaches back to the newest sink.
 */
public final class RotateKvCache implements CacheMethod {
    @Override
    public String name() {
        return RotateKvPlan.NAME;
    }

    @Override
    public String summary() {
        return "keys rotated over heads before RoPE and reordered, values rotated, all quantized per token; sinks exact";
    }

    @Override
    public String source() {
        return "Su et al., RotateKV, IJCAI 2025, arXiv 2501.16383";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "A rotation spreads outlier channels over all channels but leaves every one a mean of its own. Rotating"
                        + " before RoPE, over several heads at once, keeps these means the same for all tokens; putting"
                        + " channels of similar means into one group then leaves little for a scale to span. Tokens of"
                        + " massive activations, which attention rests on, stay exact.",
                "bits + 16 / groupSize (24 with f16 parameters), and 16 for each of up to 20 sinks",
                List.of(
                        "LLaMA-2-7B, WikiText-2 perplexity at 4,096 tokens: 5.12 exact, 5.50 with 2 bits (QuaRot 8.94,"
                                + " KVQuant 5.59)",
                        "LLaMA-2-13B, the same: 4.57 exact, 4.84; rotation alone 6.96, before RoPE over 4 heads 5.67,"
                                + " with sinks 5.52",
                        "LLaMA-3-8B, the same: 5.75 exact, 6.69; Mistral-7B 4.91, 5.24",
                        "GSM8K with 8 examples, LLaMA-2-13B: 25.40 exact, 25.09 at 2.25 bits (KIVI 24.64 at 2.50)",
                        "LLaMA-2-7B: peak memory 3.97 times lower, decode 2.32 times faster"),
                List.of(
                        "kvasir-tiny, held-out prose, 6 windows of 1,024 tokens: perplexity 77.3 (exact 69.8), KL divergence"
                                + " 0.209, top-1 74.7 %; without the order 79.7, per token without rotation 79.9; 3 bits"
                                + " 72.3, 4 bits 70.0",
                        "the same with planted outlier channels (kvasir convert outliers): 112.6; ordered by magnitude"
                                + " 136.6, without the order 156.1, rotated after RoPE per head 134.7, not rotated 578.0"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.choice(
                        "bits", "2", "bits of a code, unless k_bits or v_bits says otherwise", "2", "3", "4", "8"),
                CacheOption.choice("k_bits", "@bits", "bits of a key's code", "2", "3", "4", "8"),
                CacheOption.choice("v_bits", "@bits", "bits of a value's code", "2", "3", "4", "8"),
                CacheOption.choice(
                        "groupSize",
                        "128",
                        "channels of a token that share a scale, or the head's width if that is less",
                        "16",
                        "32",
                        "64",
                        "128"),
                CacheOption.choice(
                        "headsPerRotation",
                        "4",
                        "KV heads that are rotated together, as far as their number allows",
                        "1",
                        "2",
                        "4",
                        "8"),
                CacheOption.choice(
                        "rotatePosition", "pre", "whether keys are rotated before or after RoPE", "pre", "post"),
                CacheOption.choice(
                        "reorder",
                        "signed",
                        "what orders the rotated channels: their mean, their mean magnitude, or nothing",
                        "signed",
                        "abs",
                        "off"),
                CacheOption.decimal(
                        "clip",
                        "0",
                        "what a group's minimum and maximum are multiplied by; 0 is 0.8 for 2 bits, else 1",
                        "0 to 1"),
                CacheOption.choice(
                        "paramFormat", "fp8", "scales as E4M3 or as F16; zeros are signed bytes", "fp8", "f16"),
                CacheOption.number(
                        "sinkEntries", 20, "largest activations of a prompt whose tokens stay exact", "0 to 64"),
                CacheOption.flag("quantizedPrefill", true, "whether a prompt's tokens see each other as stored"),
                CacheOption.flag(
                        "fuse",
                        false,
                        "whether the bases are folded into a copy of the projections instead of applied to each token"),
                CacheOption.calibrationFile());
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        RotateKvPlan plan = RotateKvPlan.of(settings, model.shape());
        int[][] orders = plan.reorder().equals(RotateKvPlan.NO_REORDER)
                ? ChannelOrder.none(model.shape())
                : ChannelOrder.of(model.calibrations().find(name(), settings.text("file")), plan);
        return (layer, pages, kernels) -> {
            KeyBasis basis = new KeyBasis(plan.rotation(), orders[layer]);
            Optional<FusedProjections> fused = plan.fuse()
                    ? Optional.of(FusedProjections.of(model.projections(), layer, basis, plan.valueBasis(), kernels))
                    : Optional.empty();
            return new RotateKvLayer(plan, basis, fused, model.rotary(layer), pages, kernels);
        };
    }

    /** The fused projections, in F32. */
    @Override
    public long weightBytes(CacheSettings settings, CacheShape shape) {
        return settings.flag("fuse") ? shape.layers() * FusedProjections.bytes(shape) : 0;
    }

    /** Although {@code reorder=off} does without. */
    @Override
    public boolean needsCalibration() {
        return true;
    }

    @Override
    public Calibrator calibrator(CacheSettings settings, CacheModel model, String fingerprint) {
        return new RotateKvCalibrator(RotateKvPlan.of(settings, model.shape()), fingerprint);
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return RotateKvPlan.of(settings, shape).estimate(tokens);
    }
}
