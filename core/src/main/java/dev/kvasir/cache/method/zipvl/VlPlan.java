package dev.kvasir.cache.method.zipvl;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.segment.SegmentLayout;
import dev.kvasir.cache.segment.SegmentLayout.KeyScheme;
import dev.kvasir.cache.segment.SegmentLayout.ValueScheme;

/**
 * What ZipVL's options mean for a shape.
 *
 * @param layout how segments are stored: one selection a layer, nothing gathered in between
 * @param tau share of attention that the important tokens hold
 * @param recent newest rows of a prompt that are probes
 * @param random further rows that are
 * @param sparse whether only important tokens of a prompt attend
 * @param minTokens prompts of fewer tokens attend in full
 * @param forcesLast whether the last token is always important
 */
record VlPlan(
        SegmentLayout layout,
        double tau,
        int recent,
        int random,
        boolean sparse,
        int minTokens,
        boolean forcesLast,
        int seed) {
    static VlPlan of(CacheSettings settings, CacheShape shape) {
        double tau = settings.decimal("tau");
        if (tau <= 0 || tau > 1) {
            throw new InvalidInputException(
                    "zipvl: tau=" + settings.text("tau") + " is not possible, allowed: above 0 to 1");
        }
        int interval = settings.number("interval");
        if (interval < 2 || interval > 4096) {
            throw new InvalidInputException("zipvl: interval=" + interval + " is not possible, allowed: 2 to 4096");
        }
        int recent = settings.number("recent");
        if (recent < 1) {
            throw new InvalidInputException("zipvl: recent=" + recent + " is not possible, allowed: at least 1");
        }
        return new VlPlan(
                layout(shape, settings.number("bits_hi"), settings.number("bits_lo"), interval),
                tau,
                recent,
                settings.number("random"),
                settings.flag("sparse"),
                settings.number("min_tokens"),
                settings.flag("force_last"),
                settings.number("seed"));
    }

    /** ZipCache's schemes with one selection a layer; a later segment is judged by its last query, so nothing is gathered. */
    static SegmentLayout layout(CacheShape shape, int highBits, int lowBits, int interval) {
        SegmentLayout layout = new SegmentLayout(
                shape, highBits, lowBits, KeyScheme.CHANNEL, ValueScheme.CST, true, true, interval, false);
        layout.checkWidth("zipvl");
        return layout;
    }

    VlProbes probes() {
        return new VlProbes(recent, random, seed);
    }
}
