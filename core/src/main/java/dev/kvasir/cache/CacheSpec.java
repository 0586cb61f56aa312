package dev.kvasir.cache;

import java.util.Map;

/**
 * A cache named in text, e.g. {@code kivi(bits=2, group=32, residual=128)}; option values may be specs themselves.
 *
 * @param method name of the method
 * @param options values as written, in order
 */
public record CacheSpec(String method, Map<String, String> options) {
    /** Parses the text; unknown methods and options fail later, against the registry, with the nearest spelling. */
    public static CacheSpec parse(String text) {
        throw new UnsupportedOperationException(text);
    }
}
