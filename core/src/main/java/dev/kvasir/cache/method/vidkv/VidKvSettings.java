package dev.kvasir.cache.method.vidkv;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import java.util.Locale;

/** The options of VidKV, checked against a head's width, and the layouts and bytes that follow from them. */
final class VidKvSettings {
    static final int MOST_RESIDUAL = 8192;
    static final Element EXACT = Element.F16;
    /** Tokens of a page of exact ones. */
    static final int WINDOW_TOKENS = 32;

    /** Tokens of a page of keys. */
    private static final int KEY_TOKENS = 128;
    /** Trits of a word. */
    private static final int WORD_TRITS = 20;

    final int headDim;
    final int group;
    final int residual;
    /** Channels of 2 bits, and of 1 bit. */
    final int abnormal;

    final int normal;
    final Spectrum.Kind spectrum;
    final ChannelStats.Metric metric;
    final boolean perHead;
    final boolean requantAll;
    final Positions protect;
    private final boolean literal;
    private final boolean ternary;
    private final float gamma;

    VidKvSettings(CacheSettings settings, int headDim) {
        this.headDim = headDim;
        group = settings.number("group");
        residual = settings.number("residual");
        double keyBits = settings.decimal("keyBits");
        gamma = (float) settings.decimal("gamma");
        // A share such as 0.3 is a little less in binary.
        abnormal = (int) Math.floor((keyBits - 1) * headDim + 1e-6);
        normal = headDim - abnormal;
        literal = settings.text("oneBitRule").equals("LITERAL");
        boolean fft = settings.flag("fft");
        spectrum = !fft ? Spectrum.Kind.PLAIN : literal ? Spectrum.Kind.COMPLEX : Spectrum.Kind.REAL;
        metric = ChannelStats.Metric.valueOf(settings.text("metric").toUpperCase(Locale.ROOT));
        perHead = settings.text("scope").equals("head");
        requantAll = settings.text("flush").equals("REQUANT_ALL");
        ternary = settings.text("valueBits").equals("1.58");
        protect = Positions.parse(settings.text("protect"));
        check(keyBits);
    }

    private void check(double keyBits) {
        if (headDim % 16 != 0) {
            throw new InvalidInputException("vidkv: heads of " + headDim + " channels, allowed are multiples of 16");
        }
        if (keyBits < 1 || keyBits > 2) {
            throw new InvalidInputException("vidkv: keyBits=" + keyBits + ", allowed are 1.0 to 2.0");
        }
        if (gamma > 1) {
            throw new InvalidInputException("vidkv: gamma=" + gamma + ", allowed are 0 to 1");
        }
        if (residual < group || residual % group != 0 || residual > MOST_RESIDUAL) {
            throw new InvalidInputException("vidkv: residual=" + residual + " is not a multiple of group=" + group
                    + " from " + group + " to " + MOST_RESIDUAL);
        }
        if (protect.count() % group != 0) {
            throw new InvalidInputException(
                    "vidkv: protect has " + protect.count() + " positions, which is not a multiple of group=" + group);
        }
    }

    /** Keys of 2 bits: a minimum and a step for each channel and group of tokens. */
    PackedLayout abnormalKeys() {
        return new PackedLayout(KEY_TOKENS, abnormal, 2, group, Axis.PER_DEPTH, Quantizer.MIN_MAX);
    }

    /** Keys of 1 bit: a scale for each slot of the spectrum and group of tokens. */
    PackedLayout normalKeys() {
        Quantizer quantizer = literal ? Quantizer.SIGN_OR_ZERO : Quantizer.SIGN;
        return new PackedLayout(KEY_TOKENS, Spectrum.columns(spectrum, normal), 1, group, Axis.PER_DEPTH, quantizer);
    }

    /** Values that nothing protects. */
    PackedLayout ordinaryValues() {
        if (!ternary) {
            return protectedValues();
        }
        // Whole groups and whole words of trits: 160, 320 or 640 tokens.
        int tokens = WORD_TRITS * group / 4;
        return new PackedLayout(headDim, tokens, PackedLayout.TRITS, group, Axis.PER_LANE, Quantizer.ternary(gamma));
    }

    /** Protected values, of 2 bits. */
    PackedLayout protectedValues() {
        return new PackedLayout(headDim, KEY_TOKENS, 2, group, Axis.PER_LANE, Quantizer.MIN_MAX);
    }

    /** Bytes of the channel masks of a layer. */
    int maskBytes(int kvHeads) {
        return (perHead ? kvHeads : 1) * ChannelSplit.maskBytes(headDim);
    }

    /** Bytes of a model whose tokens came as one prompt. */
    Footprint estimate(int tokens, int layers, int kvHeads) {
        int quantized = tokens / group * group;
        int heads = layers * kvHeads;
        Footprint head = Footprint.ZERO;
        if (abnormal > 0) {
            head = head.plus(pages(abnormalKeys(), KEY_TOKENS, quantized));
        }
        if (normal > 0) {
            head = head.plus(pages(normalKeys(), KEY_TOKENS, quantized));
        }
        int apart = protect.before(quantized);
        PackedLayout ordinary = ordinaryValues();
        head = head.plus(pages(ordinary, ordinary.depth(), (quantized - apart) / group * group))
                .plus(pages(protectedValues(), KEY_TOKENS, apart / group * group));
        long windows = ExactKeys.bytes(EXACT, headDim, WINDOW_TOKENS, tokens - quantized)
                + ExactValues.bytes(EXACT, headDim, WINDOW_TOKENS, residual, tokens - quantized)
                + ExactValues.bytes(EXACT, headDim, WINDOW_TOKENS, group, apart % group)
                + ExactValues.bytes(EXACT, headDim, WINDOW_TOKENS, group, (quantized - apart) % group);
        long masks = quantized == 0 ? 0 : (long) layers * maskBytes(kvHeads);
        return new Footprint(heads * head.codes(), heads * head.scales(), heads * windows, masks, 0);
    }

    private static Footprint pages(PackedLayout layout, int pageTokens, int tokens) {
        long pages = Math.ceilDiv(tokens, pageTokens);
        return new Footprint(pages * layout.codeBytes(), pages * layout.scaleBytes(), 0, 0, 0);
    }
}
