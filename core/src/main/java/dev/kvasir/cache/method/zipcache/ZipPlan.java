package dev.kvasir.cache.method.zipcache;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.importance.ProbeRows;
import dev.kvasir.cache.importance.Visibility;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import java.util.List;

/** What ZipCache's options mean for a shape: sizes of sets, what they are stored in, and the bytes. */
final class ZipPlan {
    /** Numbers that share a scale where the schemes are groups. */
    private static final int GROUP = 32;
    /** Tokens of a page of the tail. */
    static final int TAIL_PAGE = 32;
    /** Shares are counted in millionths, so that a share of a whole number is exact. */
    private static final long MILLION = 1_000_000;

    /** How keys are quantized. */
    enum KeyScheme {
        CHANNEL,
        TOKEN,
        GROUP
    }

    /** How values are quantized. */
    enum ValueScheme {
        CST,
        TOKEN,
        GROUP
    }

    /** What makes a token salient. */
    enum Saliency {
        NORMALIZED,
        ACCUMULATED,
        RANDOM
    }

    private final CacheShape shape;
    private final int highBits;
    private final int lowBits;
    private final long ratio;
    private final double recent;
    private final double random;
    private final int interval;
    private final Visibility visibility;
    private final Saliency saliency;
    private final boolean perLayer;
    private final KeyScheme keyScheme;
    private final ValueScheme valueScheme;
    private final boolean layerRows;
    private final boolean requantizesAll;
    private final int seed;
    /** Whether the tail gathers what probes give; otherwise a segment is judged by its last query alone. */
    private final boolean gathers;

    /** ZipVL's: the schemes of ZipCache, one selection a layer whose size is measured, nothing gathered in between. */
    ZipPlan(CacheShape shape, int highBits, int lowBits, int interval) {
        this.shape = shape;
        this.highBits = highBits;
        this.lowBits = lowBits;
        this.interval = interval;
        ratio = MILLION;
        recent = 0;
        random = 0;
        visibility = Visibility.PROBES;
        saliency = Saliency.NORMALIZED;
        perLayer = true;
        keyScheme = KeyScheme.CHANNEL;
        valueScheme = ValueScheme.CST;
        layerRows = true;
        requantizesAll = false;
        seed = 0;
        gathers = false;
        checkWidth("zipvl");
    }

    ZipPlan(CacheSettings settings, CacheShape shape) {
        this.shape = shape;
        highBits = settings.number("bits_hi");
        lowBits = settings.number("bits_lo");
        ratio = Math.round(share(settings, "ratio") * MILLION);
        recent = share(settings, "recent");
        random = share(settings, "random");
        interval = settings.number("interval");
        visibility = Visibility.valueOf(upper(settings, "nnz"));
        saliency = Saliency.valueOf(upper(settings, "saliency"));
        perLayer = settings.text("scope").equals("layer");
        keyScheme = KeyScheme.valueOf(upper(settings, "k_scheme"));
        valueScheme = ValueScheme.valueOf(upper(settings, "v_scheme"));
        layerRows = settings.text("v_rows").equals("layer");
        requantizesAll = settings.text("recompress").equals("all");
        seed = settings.number("seed");
        if (interval < 1 || interval > 4096) {
            throw new InvalidInputException("zipcache: interval=" + interval + " is not possible, allowed: 1 to 4096");
        }
        if (recent + random > 1) {
            throw new InvalidInputException("zipcache: recent=" + settings.text("recent") + " and random="
                    + settings.text("random") + " are more than all tokens, allowed: a sum of 0 to 1");
        }
        gathers = true;
        checkWidth("zipcache");
    }

    private void checkWidth(String method) {
        boolean grouped = keyScheme == KeyScheme.GROUP || valueScheme == ValueScheme.GROUP;
        int divisor = grouped ? GROUP : PackedLayout.UNIT;
        if (shape.headDim() % divisor != 0) {
            throw new InvalidInputException(method + ": heads of " + shape.headDim()
                    + " channels, allowed are multiples of " + divisor + (grouped ? " with groups of " + GROUP : ""));
        }
    }

    private static double share(CacheSettings settings, String option) {
        double share = settings.decimal(option);
        if (share > 1) {
            throw new InvalidInputException(
                    "zipcache: " + option + "=" + settings.text(option) + " is more than all, allowed: 0 to 1");
        }
        return share;
    }

    private static String upper(CacheSettings settings, String option) {
        return settings.text(option).toUpperCase(java.util.Locale.ROOT);
    }

    CacheShape shape() {
        return shape;
    }

    /** Channels of all KV heads. */
    int channels() {
        return shape.kvHeads() * shape.headDim();
    }

    int interval() {
        return interval;
    }

    boolean requantizesAll() {
        return requantizesAll;
    }

    Visibility visibility() {
        return visibility;
    }

    Saliency saliency() {
        return saliency;
    }

    int seed() {
        return seed;
    }

    ProbeRows probes() {
        return new ProbeRows(recent, random, interval, seed);
    }

    /** Selections of a segment: one for each KV head, or one. */
    int selections() {
        return perLayer ? 1 : shape.kvHeads();
    }

    /** Whether a row's channels are divided by a factor first. */
    boolean separatesChannels() {
        return valueScheme == ValueScheme.CST;
    }

    /** Tokens of a segment of {@code tokens} that are salient. */
    int highSize(int tokens) {
        return tokens - (int) ((MILLION - ratio) * tokens / MILLION);
    }

    /** Bits of the salient tokens or of the others. */
    int bits(boolean high) {
        return high ? highBits : lowBits;
    }

    /** A head's keys of a set of {@code tokens} tokens: one page, whose lanes are filled up to whole units. */
    PackedLayout keys(int bits, int tokens) {
        int lanes = Math.ceilDiv(tokens, PackedLayout.UNIT) * PackedLayout.UNIT;
        return switch (keyScheme) {
            case CHANNEL -> new PackedLayout(lanes, shape.headDim(), bits, lanes, Axis.PER_DEPTH, Quantizer.MIN_MAX);
            case TOKEN ->
                new PackedLayout(lanes, shape.headDim(), bits, shape.headDim(), Axis.PER_LANE, Quantizer.MIN_MAX);
            case GROUP -> new PackedLayout(lanes, shape.headDim(), bits, GROUP, Axis.PER_LANE, Quantizer.MIN_MAX);
        };
    }

    /** All heads' values of a set of {@code tokens} tokens: one page. */
    PackedLayout values(int bits, int tokens) {
        int group = valueScheme == ValueScheme.GROUP ? GROUP : layerRows ? channels() : shape.headDim();
        return new PackedLayout(channels(), tokens, bits, group, Axis.PER_DEPTH, Quantizer.MIN_MAX);
    }

    /** Words of 32 bits of a selection among {@code tokens} tokens. */
    static int words(int tokens) {
        return Math.ceilDiv(tokens, Integer.SIZE);
    }

    /** Numbers beside the tail: a sum for each head and token, and how many probes saw the token. */
    int tailNumbers() {
        return gathers ? (shape.kvHeads() + 1) * interval : 0;
    }

    /** Bytes of all layers with segments of these sizes and {@code tail} tokens after them. */
    Footprint bytes(List<Integer> segments, int tail) {
        Footprint layer = Footprint.ZERO;
        for (int tokens : segments) {
            layer = layer.plus(segment(tokens, highSize(tokens)));
        }
        if (tail > 0) {
            long keys = ExactKeys.bytes(Element.F16, shape.headDim(), TAIL_PAGE, tail);
            long values = ExactValues.bytes(Element.F16, shape.headDim(), TAIL_PAGE, 0, tail);
            layer = layer.plus(new Footprint(0, 0, shape.kvHeads() * (keys + values), 4L * tailNumbers(), 0));
        }
        int layers = shape.layers();
        return new Footprint(
                layers * layer.codes(), layers * layer.scales(), layers * layer.windows(), layers * layer.indices(), 0);
    }

    /** Bytes of one layer's segment. */
    Footprint segment(int tokens, int high) {
        Footprint factors = new Footprint(0, separatesChannels() ? 2L * channels() : 0, 0, 0, 0);
        Footprint selection = new Footprint(0, 0, 0, 4L * selections() * words(tokens), 0);
        return set(highBits, high)
                .plus(set(lowBits, tokens - high))
                .plus(factors)
                .plus(selection);
    }

    private Footprint set(int bits, int tokens) {
        if (tokens == 0) {
            return Footprint.ZERO;
        }
        PackedLayout keys = keys(bits, tokens);
        PackedLayout values = values(bits, tokens);
        int heads = shape.kvHeads();
        return new Footprint(
                heads * keys.codeBytes() + values.codeBytes(),
                heads * keys.scaleBytes() + values.scaleBytes(),
                0,
                0,
                0);
    }
}
