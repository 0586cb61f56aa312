package dev.kvasir.cache.method.bfp;

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
 * Block floating point: blocks of numbers share one exponent byte, each number keeps a short signed mantissa, so that decoding
 * is exponent arithmetic (Trukhanov and Soloveychik, arXiv 2403.20137). BFP12, BFP14 and BFP16 have mantissas of 4, 6 and 8
 * bits. Blocks of keys lie along the channels; those of values along the channels, or along the tokens behind an F16 window of
 * one block.
 *
 * <p>One large channel wipes out the neighbours in its block. K-sort therefore orders the channels of keys by magnitude: folded
 * into the weights by {@code kvasir convert bfp}, which leaves the cache nothing to do, or with {@code sort=post-rope} from a
 * calibration, which costs a gather when keys are stored and one of the query. {@code q=bfp16} rounds queries to blocks of 8-bit
 * mantissas, which makes every block's product an integer sum.
 *
 * <p>Bits per element: mantissa + 8 / block. Rolls back any number of tokens, with {@code v_axis=token} what the window holds.
 */
public final class BfpCache implements CacheMethod {
    @Override
    public String name() {
        return "bfp";
    }

    @Override
    public String summary() {
        return "block floating point: short mantissas that share an exponent";
    }

    @Override
    public String source() {
        return "Trukhanov and Soloveychik, Accurate Block Quantization in LLMs with Outliers, arXiv 2403.20137";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "A block of numbers shares a power of two, so decoding is exponent arithmetic and products are integers. An"
                        + " outlier wipes out its block; sorting the channels of keys once, in the weights, puts large beside"
                        + " large at no cost when the model runs.",
                "mantissa (4, 6 or 8) + 8/block",
                List.of("about half the KV memory without significant loss (abstract; no table could be confirmed)"),
                List.of(
                        "kvasir-tiny, 2,048 tokens: perplexity 2.694 (exact 2.670), KL divergence 0.0108, top-1 93.9 %; blocks of 16 0.00925; sort=post-rope 0.00857 and, with blocks of 16, 0.00969",
                        "kvasir-tiny with planted outlier channels (kvasir convert outliers), 1,024 tokens: KL divergence 0.478, sorted by kvasir convert bfp 0.436; blocks of 16 0.313, sorted 0.272"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.choice(
                        "format", "bfp12", "of both sides, unless k or v says otherwise", "bfp12", "bfp14", "bfp16"),
                CacheOption.choice("k", "@format", "format of keys", "bfp12", "bfp14", "bfp16"),
                CacheOption.choice("v", "@format", "format of values", "bfp12", "bfp14", "bfp16"),
                CacheOption.choice("block", "32", "numbers that share an exponent", "16", "32", "64", "128"),
                CacheOption.choice("k_block", "@block", "the same for keys", "16", "32", "64", "128"),
                CacheOption.choice("v_block", "@block", "the same for values", "16", "32", "64", "128"),
                CacheOption.choice("v_axis", "channel", "what a block of values runs along", "channel", "token"),
                CacheOption.choice("q", "f32", "form of queries", "f32", "bfp16"),
                CacheOption.choice(
                        "sort",
                        "none",
                        "order of the channels of keys; post-rope takes a calibration, a converted model none",
                        "none",
                        "post-rope"),
                CacheOption.calibrationFile());
    }

    @Override
    public String positional() {
        return "format";
    }

    @Override
    public boolean canCalibrate() {
        return true;
    }

    @Override
    public Calibrator calibrator(CacheSettings settings, CacheModel model, String fingerprint) {
        return new BfpCalibrator(model.shape(), fingerprint);
    }

    @Override
    public Optional<HeadFactory> heads(CacheSettings settings, CacheModel model) {
        return Optional.of(new BfpHeads(
                settings,
                model.shape(),
                settings.text("sort").equals("post-rope")
                        ? Optional.of(model.calibrations().find(name(), settings.text("file")))
                        : Optional.empty()));
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return new BfpHeads(settings, shape, Optional.empty()).estimate(tokens, shape.layers() * shape.kvHeads());
    }
}
