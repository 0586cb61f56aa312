package dev.kvasir.cli.command;

import dev.kvasir.cache.KvCache;
import java.util.Locale;

/** What a cache holds, in one line for people. */
final class CacheLine {
    private CacheLine() {}

    /** For example {@code kivi(bits=2, group=32, residual=128): 1,024 tokens, 1,234,567 bytes, 3.21 bits per element}. */
    static String of(KvCache cache) {
        long bytes = cache.footprint().total();
        String start = String.format(Locale.ROOT, "%s: %,d tokens, %,d bytes", cache.spec(), cache.length(), bytes);
        return cache.length() == 0
                ? start
                : String.format(
                        Locale.ROOT,
                        "%s, %.2f bits per element",
                        start,
                        cache.footprint().bitsPerElement(cache.shape(), cache.length()));
    }
}
