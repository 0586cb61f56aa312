package dev.kvasir.lab.compare;

import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import java.util.List;
import java.util.stream.Stream;

/** The caches that are compared when nobody names any. */
public final class DefaultCaches {
    /** What all others are held against. */
    public static final String REFERENCE = "exact(f32)";

    /**
     * 2 bits per token for keys and values alike, with no exact window: what the papers show to fail, so that a reader can
     * see that the comparison sees damage.
     */
    public static final String CONTROL = "kivi(bits=2, k_axis=token, residual=0)";

    private DefaultCaches() {}

    /** The exact cache in f32. */
    public static CacheSpec reference() {
        return CacheSpec.parse(REFERENCE);
    }

    /** Every method with its default options, the reference first. */
    public static List<CacheSpec> everyMethod() {
        return Stream.concat(Stream.of(REFERENCE), Caches.methods().stream().filter(name -> !name.equals("exact")))
                .map(CacheSpec::parse)
                .toList();
    }

    /** All of them, the reference first, the control last. */
    public static List<CacheSpec> all() {
        return Stream.of(
                        REFERENCE,
                        "exact(f16)",
                        "block(q8_0)",
                        "block(q4_0)",
                        "qserve",
                        "bfp",
                        "kivi(bits=4)",
                        "kivi(bits=2)",
                        "gear",
                        "saq",
                        "turboquant(bits=3, keys=mse)",
                        "kvquant(bits=3)",
                        "rotatekv",
                        "mikv",
                        "zipcache",
                        "vidkv",
                        "xquant",
                        "minicache",
                        "cskv",
                        "zipvl",
                        "a2ats",
                        "snapkv",
                        "h2o",
                        CONTROL)
                .map(CacheSpec::parse)
                .toList();
    }
}
