package dev.kvasir.train.data;

import dev.kvasir.lab.task.Split;
import java.util.SplittableRandom;

/** Seeds that do not resemble each other, made from numbers that do. */
final class Mixing {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private Mixing() {}

    /** A generator for row {@code index} of a source's split. */
    static SplittableRandom random(String source, Split split, long index, int length) {
        return random(source.hashCode(), split.name().hashCode(), index, length);
    }

    /** A generator for the tuple of keys. */
    static SplittableRandom random(long... keys) {
        long state = GOLDEN;
        for (long key : keys) {
            state = mix(state + GOLDEN + key);
        }
        return new SplittableRandom(state);
    }

    /** Finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
    private static long mix(long value) {
        long z = value;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
