package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.CountedOutliers;
import dev.kvasir.cache.store.ExactRows;
import dev.kvasir.cache.store.SlottedOutliers;
import dev.kvasir.tensor.RotaryBlock;
import dev.kvasir.tensor.RotaryTable;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * KVQuant: calibrated non-uniform codes of two to four bits, one codebook for each layer and tensor; keys per channel as
 * they are before RoPE, values per token; one percent of outliers kept apart; the first tokens exact (Hooper et al., NeurIPS
 * 2024, arXiv 2401.18079).
 *
 * <p>Channels of keys have stable ranges before RoPE, which mixes pairs of channels by position. So their thresholds are
 * learnt beforehand, codes need no scale of their own, and keys are turned on read. Levels are fitted by k-means weighted with
 * the sensitivity of the loss. Of D channels in all KV heads, b + 32 n / D bits per element of a key, n = 2 (floor(0.005 D) +
 * 1) outliers, as much and 32 / D for a value, and 32 D bits for each exact token.
 *
 * <p>A prompt attends to itself exactly and is then packed, as in the paper's deployment; {@code prefill=quantized} lets it
 * see itself packed, as in the simulation that the paper's perplexities are from. A decoded token is packed first and reads
 * itself back.
 *
 * <p>Paper defaults: 3 bits, 1 % outliers, 1 exact token, Q-Norm with 2 bits. Paper figures, LLaMA-7B, WikiText-2 perplexity:
 * 5.68 in F16, 5.75 with 3 bits and 1 % (nuq3-1%), 5.69 with 4, 6.01 with 2; 5.87 with 3 bits and no outliers, 7.33 with NormalFloat,
 * 10.87 uniform per token after RoPE. KV size at 128K tokens: 64.0 GB, 13.3 GB with nuq3-1%.
 *
 * <p>{@code k_axis}, {@code k_rope}, {@code threshold}, {@code datatype} and {@code weights} are the paper's ablations; one
 * calibration serves them all, and all bits.
 */
public final class KvQuantCache implements CacheMethod {
    static final String NAME = "kvquant";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String summary() {
        return "non-uniform codes, keys per channel before RoPE, values per token, outliers and first tokens exact";
    }

    @Override
    public String source() {
        return "Hooper et al., KVQuant, NeurIPS 2024, arXiv 2401.18079";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Channels of keys have stable ranges before RoPE, which mixes pairs of channels by position: learnt once, they"
                        + " need no scales in the cache, and keys are turned on read. Levels are not even but fitted to the"
                        + " numbers, weighted by how much the loss feels them. One percent of outliers would widen every"
                        + " range and is kept apart; the first token, on which attention leans, stays exact.",
                "bits + 32 n / D, n = 2 (floor(outliers D / 2) + 1) outliers of D channels in all KV heads, and 32 / D for"
                        + " values; 32 D bits for each exact token",
                List.of(
                        "LLaMA-7B, WikiText-2 perplexity: 5.68 exact, 5.69 with 4 bits, 5.75 with 3, 6.01 with 2, all with 1 %"
                                + " outliers; 5.87 with 3 bits and none",
                        "the same, 3 bits by token after RoPE: 7.33 NormalFloat, 10.87 uniform",
                        "LLaMA-7B, KV size at 128K tokens: 64.0 GB in F16, 13.3 GB with 3 bits and 1 %",
                        "LLaMA-2-7B-32K, passkey at 2K to 32K with 3 bits and 1 %: 0.98 to 1 right; KIVI with 2 bits 0.68 to"
                                + " 0.76"),
                List.of(
                        "kvasir-tiny, 2,048 tokens, 3 bits: perplexity 2.686 (exact 2.670), KL divergence 0.00731, top-1 93.5 %",
                        "kvasir-tiny, 2,048 tokens, 4 bits: perplexity 2.677, KL divergence 0.00245, top-1 96.2 %",
                        "kvasir-tiny, 2,048 tokens, 2 bits: perplexity 2.790, KL divergence 0.0479, top-1 86.9 %",
                        "kvasir-tiny, 2,048 tokens, 3 bits, uniform by token after RoPE without outliers: perplexity 2.731, KL"
                                + " divergence 0.0212, top-1 89.3 %"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.choice(
                        "bits", "3", "bits of a code, unless k_bits or v_bits says otherwise", "2", "3", "4"),
                CacheOption.choice("k_bits", "@bits", "bits of a key's code", "2", "3", "4"),
                CacheOption.choice("v_bits", "@bits", "bits of a value's code", "2", "3", "4"),
                CacheOption.decimal(
                        "outliers",
                        "0.01",
                        "share of numbers kept apart, half of them on each side",
                        "0 or what the calibration was made for, 1 at most"),
                CacheOption.decimal(
                        "cap",
                        "@outliers",
                        "share of a token's keys that has slots as outliers",
                        "0 for any number behind a pointer, 1 at most"),
                CacheOption.choice("threshold", "vector", "what an outlier is measured by", "vector", "global"),
                CacheOption.number("sinks", 1, "first tokens that stay exact", "0 to 16"),
                CacheOption.choice("dtype", "f16", "type of the exact tokens", "f32", "bf16", "f16"),
                CacheOption.choice("datatype", "nuq", "what the codes mean", "nuq", "nf", "uniform"),
                CacheOption.choice(
                        "weights", "fisher", "what nuq levels were weighted by", "fisher", "fisher_range", "none"),
                CacheOption.choice(
                        "qnorm",
                        "auto",
                        "codes mean levels of corrected moments; auto: with 2 bits",
                        "auto",
                        "true",
                        "false"),
                CacheOption.choice("k_axis", "channel", "what shares a range among keys", "channel", "token"),
                CacheOption.choice("k_rope", "pre", "keys before or after RoPE", "pre", "post"),
                CacheOption.choice("prefill", "exact", "how a prompt sees itself", "exact", "quantized"),
                CacheOption.calibrationFile());
    }

    @Override
    public boolean needsCalibration() {
        return true;
    }

    @Override
    public Calibrator calibrator(CacheSettings settings, CacheModel model, String fingerprint) {
        return new KvQuantCalibrator(KvQuantOptions.of(settings, model.shape()), fingerprint);
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        KvQuantOptions options = KvQuantOptions.of(settings, model.shape());
        List<KvQuantTables> tables =
                KvQuantTables.of(options, model.calibrations().find(NAME, options.file()));
        Map<RotaryTable, RotaryBlock> blocks = new ConcurrentHashMap<>();
        return (layer, pages, kernels) -> {
            RotaryTable table = model.rotary(layer);
            RotaryBlock block = blocks.computeIfAbsent(table, RotaryBlock::new);
            return KvQuantLayer.empty(options, tables.get(layer), table, block, pages, kernels);
        };
    }

    /** By its formula; where outliers have no slots, with as many of them as the calibration text had. */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        KvQuantOptions options = KvQuantOptions.of(settings, shape);
        int width = options.width();
        long keyPages = Math.ceilDiv(tokens, KeySide.PAGE_TOKENS);
        long valuePages = Math.ceilDiv(tokens, ValueSide.PAGE_TOKENS);
        long keyScales = options.keys().byChannel() ? 0 : keyPages * KeySide.PAGE_TOKENS * 4;
        long exact = Math.min(tokens, options.sinks())
                * ExactRows.rowBytes(options.dtype(), shape.headDim(), shape.kvHeads());
        Footprint layer = new Footprint(
                keyPages * codeBytes(KeySide.PAGE_TOKENS, width, options.keyBits())
                        + valuePages * codeBytes(width, ValueSide.PAGE_TOKENS, options.valueBits()),
                keyScales + valuePages * ValueSide.PAGE_TOKENS * 4,
                exact,
                outlierBytes(options, options.keySlots(), tokens) + outlierBytes(options, options.valueSlots(), tokens),
                0);
        Footprint all = Footprint.ZERO;
        for (int i = 0; i < shape.layers(); i++) {
            all = all.plus(layer);
        }
        return all;
    }

    /** Bytes of a page's codes; whatever they mean. */
    private static long codeBytes(int lanes, int depth, int bits) {
        return new PackedLayout(lanes, depth, bits, 1, Axis.PER_LANE, Quantizer.MIN_MAX).codeBytes();
    }

    private static long outlierBytes(KvQuantOptions options, int slots, int tokens) {
        if (!options.sparse()) {
            return 0;
        }
        return slots > 0
                ? SlottedOutliers.bytes(slots, tokens)
                : CountedOutliers.bytes(tokens, Math.round(options.outliers() * options.width() * tokens));
    }
}
