package dev.kvasir.cache.method.vidkv;

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
import java.util.Optional;

/**
 * VidKV, a cache of less than 2 bits made for video tokens: abnormal key channels of 2 bits, the others one sign bit in the
 * frequency domain, values one trit per channel (Tao et al., 2025, arXiv 2503.16257).
 *
 * <p>With G tokens in a group and F16 parameters a 2-bit channel costs 2 + 32/G bits, a sign 1 + 16/G, a trit 1.6 + 16/G. A share
 * k = keyBits - 1 of the channels is abnormal: B_K = k (2 + 32/G) + (1 - k) (1 + 16/G), B_V = 1.6 + 16/G, so the defaults, which
 * the paper calls 1.5 and 1.58 bits, are 2.25 and 2.10; with G = 128 they are 1.69 and 1.73.
 *
 * <p>A prompt is quantized but for its newest n mod G tokens; after it, tokens gather until there are {@code residual} of
 * them. A step of G tokens or more counts as prompt.
 *
 * <p>Where the released code is odd this is not: signs mean -s and s, not 0 and s, of a packed real spectrum instead of a complex
 * one with its redundant half ({@code oneBitRule=LITERAL} does it their way); trits have a scale; abnormal channels stay
 * chosen after the prompt ({@code flush=REQUANT_ALL} chooses anew and quantizes all keys again; values would come out the same).
 * Their rule for outliers is not published: here an outlier is more than three deviations from its channel's mean.
 *
 * <p>{@code protect} names tokens whose values get 2 bits, for which {@link SemanticTokens} has the paper's choice. Rollback
 * reaches back to what is still exact.
 */
public final class VidKvCache implements CacheMethod {
    @Override
    public String name() {
        return "vidkv";
    }

    @Override
    public String summary() {
        return "key channels of 2 bits or of one sign in the frequency domain, values of one trit per channel";
    }

    @Override
    public String source() {
        return "Tao et al., VidKV, 2025, arXiv 2503.16257";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "A minority of key channels has a large range and breaks 1-bit codes: those get 2 bits. The calm ones are kept"
                        + " as signs of their Fourier transform across channels, where the distribution is smoother; queries"
                        + " are transformed once a step, keys never back. Values are stable within a channel over time, so"
                        + " they are quantized per channel, and three levels suffice.",
                "keys (keyBits - 1) (2 + 32 / group) + (2 - keyBits) (1 + 16 / group), values 1.6 + 16 / group or 2 + 32 /"
                        + " group: nominal 1.5 and 1.58 are 2.25 and 2.10 with group 32, 1.69 and 1.73 with group 128",
                List.of(
                        "LLaVA-OV-7B, VideoDC: 3.01 exact, 3.03 with 2/2 bits, 2.95 with 1.5/2, 2.79 with 1.5/1.58, 2.89 with"
                                + " 20 % of the visual tokens protected; KIVI 2/2 3.00",
                        "LLaVA-OV-7B, TempCompass: 49.05 exact, 50.69, 50.45, 47.35 and 47.55; KIVI 49.70",
                        "LLaVA-OV-7B, MovieChat accuracy: 47.87 exact, 47.68, 48.28, 47.08 and 47.25; KIVI 46.63",
                        "LLaVA-OV-7B, VATEX CIDEr: 27.42 exact, 27.57, 25.91 (23.38 without the transform), 20.09 and 23.06;"
                                + " KIVI 26.27",
                        "Qwen2.5-VL-7B, VideoDC: 2.93 exact, 2.94, 2.88, 2.68 and 2.87; KIVI 2.93",
                        "Qwen2.5-VL-7B, TempCompass: 56.53 exact, 55.39, 54.24 (52.32 without the transform), 49.10 and 49.20;"
                                + " KIVI 55.63",
                        "channels chosen by range, variance, outliers (LLaVA-OV, MovieChat, 1.5/2): 48.28, 45.11, 32.87"),
                List.of(
                        "kvasir-tiny, 2,048 tokens of text: KL divergence 0.0162 (perplexity 2.704, exact 2.670), top-1 92.8 %, at 2.19 bits per element"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.decimal(
                        "keyBits",
                        "1.5",
                        "1 and the share of key channels of 2 bits",
                        "1.0 to 2.0, sharp loss below 1.2"),
                CacheOption.choice("valueBits", "1.58", "bits of a value: one trit, or 2 bits", "1.58", "2"),
                CacheOption.choice("group", "32", "tokens that share a scale", "32", "64", "128"),
                CacheOption.number(
                        "residual",
                        128,
                        "newest tokens that may be exact",
                        "multiples of group, up to " + VidKvSettings.MOST_RESIDUAL),
                CacheOption.decimal("gamma", "0.7", "values below gamma times the mean magnitude become 0", "0 to 1"),
                CacheOption.positions(
                        "protect",
                        "tokens whose values get 2 bits",
                        "positions and ranges such as 0..31+64..95, a multiple of group in all"),
                CacheOption.choice(
                        "metric", "range", "by what 2-bit channels are chosen", "range", "variance", "outliers"),
                CacheOption.choice("scope", "layer", "what shares the choice of channels", "layer", "head"),
                CacheOption.flag("fft", true, "transform the 1-bit channels"),
                CacheOption.choice(
                        "oneBitRule",
                        "SIGNED",
                        "what a bit means: -s or s of the packed spectrum, or 0 or s of the complex one",
                        "SIGNED",
                        "LITERAL"),
                CacheOption.choice(
                        "flush",
                        "APPEND",
                        "what is quantized when the residual is full: it, or all keys with newly chosen channels",
                        "APPEND",
                        "REQUANT_ALL"));
    }

    @Override
    public String positional() {
        return "keyBits";
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("which weighs tokens by the attention they get");
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        CacheShape shape = model.shape();
        VidKvSettings checked = new VidKvSettings(settings, shape.headDim());
        Spectrum spectrum = new Spectrum(Kernels.best(), checked.spectrum, checked.normal);
        return (layer, pages, kernels) -> new VidKvLayer(shape, checked, spectrum, layer, pages, kernels);
    }

    /** For tokens that come as one prompt: what is exact depends on how they come. */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return new VidKvSettings(settings, shape.headDim()).estimate(tokens, shape.layers(), shape.kvHeads());
    }
}
