package dev.kvasir.cli.command;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.Reads;
import java.util.Locale;

/** What a cache holds, in one line for people. */
final class CacheLine {
    private CacheLine() {}

    /**
     * For example {@code kivi(bits=2, group=32, residual=128): 1,024 tokens, 1,234,567 bytes, 3.21 bits per element}; where
     * there are two tiers, what the first one has; where few tokens are read, how many.
     */
    static String of(KvCache cache) {
        Footprint bytes = cache.footprint();
        StringBuilder line = new StringBuilder(
                String.format(Locale.ROOT, "%s: %,d tokens, %,d bytes", cache.spec(), cache.length(), bytes.total()));
        if (bytes.secondTier() > 0) {
            line.append(String.format(Locale.ROOT, " (%,d in the first tier)", bytes.firstTier()));
        }
        if (cache.length() > 0) {
            line.append(String.format(
                    Locale.ROOT, ", %.2f bits per element", bytes.bitsPerElement(cache.shape(), cache.length())));
        }
        Reads reads = cache.reads();
        if (reads.steps() > 0) {
            line.append(String.format(
                    Locale.ROOT,
                    ", %.1f %% of tokens read, %,.0f bytes a step",
                    100 * reads.share(),
                    reads.bytesPerStep()));
        }
        return line.toString();
    }
}
