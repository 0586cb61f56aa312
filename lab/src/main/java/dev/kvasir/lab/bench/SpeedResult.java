package dev.kvasir.lab.bench;

import dev.kvasir.lab.metric.Spread;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * Speed and memory of one cache.
 *
 * @param prefillTokens tokens of the prompt
 * @param prefill prompt tokens per second
 * @param prefillRatio prefill speed over the first cache's of the same repetition
 * @param depths decoding at each depth, ascending
 * @param peakRss peak resident set in bytes of the whole process, model and JVM included, while this cache alone was
 *     filled to the deepest depth and decoded; absent where it cannot be read
 * @param peakRssScope what {@code peakRss} covers
 */
public record SpeedResult(
        String cache,
        int prefillTokens,
        Spread prefill,
        Spread prefillRatio,
        List<DepthSpeed> depths,
        OptionalLong peakRss,
        PeakScope peakRssScope) {
    /**
     * Decoding at one depth.
     *
     * @param depth tokens in the cache before the first timed one
     * @param decode tokens per second, a repetition's value being all its tokens over all its time
     * @param ratio decode speed over the first cache's of the same repetition
     * @param cacheBytes bytes allocated after the timed tokens
     * @param bitsPerElement the same for each element of K and V
     */
    public record DepthSpeed(int depth, Spread decode, Spread ratio, long cacheBytes, double bitsPerElement) {
        /** Milliseconds a token: the fastest repetition is the least. */
        public Spread millis() {
            return new Spread(1e3 / decode.median(), 1e3 / decode.max(), 1e3 / decode.min(), decode.count());
        }
    }

    /** What a peak of memory covers. */
    public enum PeakScope {
        /** The turn of this cache alone: the system let the high-water mark be reset. */
        CACHE,
        /** Everything since the process began. */
        PROCESS,
        /** Nothing: this system does not tell. */
        UNKNOWN
    }

    /** Median decode speed at the deepest depth, tokens per second. */
    public double deepestDecode() {
        return depths.getLast().decode().median();
    }

    /** What each token in the cache adds to decoding one, in nanoseconds: between the first depth and the last; empty for one. */
    public OptionalDouble nanosPerDepth() {
        DepthSpeed first = depths.getFirst();
        DepthSpeed last = depths.getLast();
        return depths.size() < 2
                ? OptionalDouble.empty()
                : OptionalDouble.of(
                        1e6 * (last.millis().median() - first.millis().median()) / (last.depth() - first.depth()));
    }
}
