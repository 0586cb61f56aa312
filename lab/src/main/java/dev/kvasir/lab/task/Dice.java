package dev.kvasir.lab.task;

import java.util.List;

/**
 * A reproducible stream of choices, seeded by split, task and index.
 *
 * <p>The generator and the mixing are SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
 * OOPSLA 2014), written out because documents must not change with the JDK.
 */
final class Dice {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private long state;

    Dice(Split split, String task, long index) {
        state = mix(hash(hash(0, split.name()), task) ^ mix(index + GOLDEN));
    }

    static long hash(long salt, String text) {
        long hash = mix(salt + GOLDEN);
        for (int i = 0; i < text.length(); i++) {
            hash = mix(hash + GOLDEN * (text.charAt(i) + 1));
        }
        return hash;
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    /** Uniform in {@code [0, bound)}. */
    int below(int bound) {
        state += GOLDEN;
        return (int) (((mix(state) >>> 32) * bound) >>> 32);
    }

    /** Uniform in {@code [low, high]}. */
    int between(int low, int high) {
        return low + below(high - low + 1);
    }

    <T> T pick(List<T> list) {
        return list.get(below(list.size()));
    }

    <T> void shuffle(List<T> list) {
        for (int i = list.size() - 1; i > 0; i--) {
            int j = below(i + 1);
            T swapped = list.get(i);
            list.set(i, list.get(j));
            list.set(j, swapped);
        }
    }
}
