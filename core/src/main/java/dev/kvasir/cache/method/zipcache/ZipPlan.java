package dev.kvasir.cache.method.zipcache;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.importance.ProbeRows;
import dev.kvasir.cache.importance.Visibility;
import dev.kvasir.cache.segment.SegmentLayout;
import dev.kvasir.cache.segment.SegmentLayout.KeyScheme;
import dev.kvasir.cache.segment.SegmentLayout.ValueScheme;
import java.util.List;

/** What ZipCache's options mean for a shape: who is probed, what makes a token salient, sizes of sets, and the bytes. */
final class ZipPlan {
    /** Shares are counted in millionths, so that a share of a whole number is exact. */
    private static final long MILLION = 1_000_000;

    /** What makes a token salient. */
    enum Saliency {
        NORMALIZED,
        ACCUMULATED,
        RANDOM
    }

    private final SegmentLayout layout;
    private final long ratio;
    private final double recent;
    private final double random;
    private final Visibility visibility;
    private final Saliency saliency;
    private final boolean requantizesAll;
    private final int seed;

    ZipPlan(CacheSettings settings, CacheShape shape) {
        ratio = Math.round(share(settings, "ratio") * MILLION);
        recent = share(settings, "recent");
        random = share(settings, "random");
        visibility = Visibility.valueOf(upper(settings, "nnz"));
        saliency = Saliency.valueOf(upper(settings, "saliency"));
        requantizesAll = settings.text("recompress").equals("all");
        seed = settings.number("seed");
        int interval = settings.number("interval");
        if (interval < 1 || interval > 4096) {
            throw new InvalidInputException("zipcache: interval=" + interval + " is not possible, allowed: 1 to 4096");
        }
        if (recent + random > 1) {
            throw new InvalidInputException("zipcache: recent=" + settings.text("recent") + " and random="
                    + settings.text("random") + " are more than all tokens, allowed: a sum of 0 to 1");
        }
        layout = new SegmentLayout(
                shape,
                settings.number("bits_hi"),
                settings.number("bits_lo"),
                KeyScheme.valueOf(upper(settings, "k_scheme")),
                ValueScheme.valueOf(upper(settings, "v_scheme")),
                settings.text("v_rows").equals("layer"),
                settings.text("scope").equals("layer"),
                interval,
                true);
        layout.checkWidth("zipcache");
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

    /** What tokens are stored in. */
    SegmentLayout layout() {
        return layout;
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
        return new ProbeRows(recent, random, layout.interval(), seed);
    }

    /** Tokens of a segment of {@code tokens} that are salient. */
    int highSize(int tokens) {
        return tokens - (int) ((MILLION - ratio) * tokens / MILLION);
    }

    /** Bytes of all layers with segments of these sizes and {@code tail} tokens after them. */
    Footprint bytes(List<Integer> segments, int tail) {
        Footprint layer = layout.tail(tail);
        for (int tokens : segments) {
            layer = layer.plus(layout.segment(tokens, highSize(tokens)));
        }
        return layout.ofAllLayers(layer);
    }
}
