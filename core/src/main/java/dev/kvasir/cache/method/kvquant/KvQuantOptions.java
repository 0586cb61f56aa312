package dev.kvasir.cache.method.kvquant;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.kernel.Element;

/**
 * The options of a spec for a model's shape.
 *
 * @param width channels of all KV heads, D
 * @param keys how keys are cut and freed of outliers
 * @param values the same of values
 * @param outliers share of numbers that are outliers, half of them on each side
 * @param keySlots outliers a key token has room for; 0 for any number
 * @param valueSlots the same of a value token
 * @param sinks first tokens that stay exact, P
 * @param quantizedPrefill whether a prompt sees itself quantized, as in the paper's simulation
 */
record KvQuantOptions(
        CacheShape shape,
        int width,
        int keyBits,
        int valueBits,
        Arrangement keys,
        Arrangement values,
        double outliers,
        int keySlots,
        int valueSlots,
        int sinks,
        Element dtype,
        String datatype,
        Weighting weighting,
        String qnorm,
        boolean quantizedPrefill,
        String file) {
    private static final int MAX_SINKS = 16;
    private static final int MAX_WIDTH = 1 << 16;
    private static final int UNIT = 16;

    /** The options of a spec; throws if they do not fit each other or the shape. */
    static KvQuantOptions of(CacheSettings settings, CacheShape shape) {
        int width = shape.kvHeads() * shape.headDim();
        if (shape.headDim() % UNIT != 0 || width > MAX_WIDTH) {
            throw new InvalidInputException("kvquant: " + shape.kvHeads() + " KV heads of " + shape.headDim()
                    + " channels; allowed are heads of a multiple of " + UNIT + " channels, " + MAX_WIDTH
                    + " in all heads together");
        }
        double outliers = share(settings, "outliers");
        double cap = share(settings, "cap");
        boolean global = settings.text("threshold").equals("global");
        Thresholds thresholds = outliers == 0 ? Thresholds.NONE : global ? Thresholds.GLOBAL : Thresholds.VECTOR;
        boolean byChannel = settings.text("k_axis").equals("channel");
        Arrangement keys = new Arrangement(true, settings.text("k_rope").equals("pre"), byChannel, thresholds);
        int valueSlots = thresholds == Thresholds.VECTOR ? 2 * perSide(outliers, width) : 0;
        int capped = cap == 0 ? 0 : 2 * perSide(cap, width);
        int keySlots = thresholds != Thresholds.VECTOR ? 0 : byChannel ? capped : valueSlots;
        int sinks = settings.number("sinks");
        if (sinks > MAX_SINKS) {
            throw new InvalidInputException("kvquant: sinks=" + sinks + ", allowed are 0 to " + MAX_SINKS);
        }
        String datatype = settings.text("datatype");
        String qnorm = settings.text("qnorm");
        if (qnorm.equals("true") && !datatype.equals("nuq")) {
            throw new InvalidInputException(
                    "kvquant: qnorm=true is fitted for datatype=nuq, found datatype=" + datatype);
        }
        return new KvQuantOptions(
                shape,
                width,
                settings.number("k_bits"),
                settings.number("v_bits"),
                keys,
                Arrangement.values(thresholds),
                outliers,
                keySlots,
                valueSlots,
                sinks,
                Element.of(settings.text("dtype")),
                datatype,
                weighting(settings.text("weights")),
                qnorm,
                settings.text("prefill").equals("quantized"),
                settings.text("file"));
    }

    private static double share(CacheSettings settings, String option) {
        double share = settings.decimal(option);
        if (share > 1) {
            throw new InvalidInputException("kvquant: " + option + "=" + share + ", allowed are 0 to 1");
        }
        return share;
    }

    private static Weighting weighting(String text) {
        for (Weighting weighting : Weighting.values()) {
            if (weighting.text().equals(text)) {
                return weighting;
            }
        }
        throw new IllegalArgumentException("weights " + text);
    }

    /** Outliers at each end of a vector: floor(share / 2 * width) + 1 as in the released code, but no number twice. */
    static int perSide(double share, int width) {
        return Math.min(width / 2, (int) Math.floor(share / 2 * width + 1e-9) + 1);
    }

    /** Whether codes of so many bits are decoded with Q-Norm. */
    boolean usesQNorm(int bits) {
        return switch (qnorm) {
            case "true" -> true;
            case "auto" -> bits == 2 && datatype.equals("nuq");
            default -> false;
        };
    }

    /** Whether a side has outliers at all. */
    boolean sparse() {
        return keys.thresholds() != Thresholds.NONE;
    }
}
