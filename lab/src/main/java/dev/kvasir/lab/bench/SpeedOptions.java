package dev.kvasir.lab.bench;

import dev.kvasir.InvalidInputException;
import java.util.List;

/**
 * What is timed.
 *
 * @param prefill tokens of the timed prompt, fed as one step
 * @param depths tokens in the cache before the timed decoding begins, ascending; 0 is an empty cache
 * @param decode tokens decoded one by one at each depth. A method that compresses in bursts (KIVI: every
 *     {@code residual} tokens) is timed fairly when a burst falls inside, so the default is KIVI's residual
 * @param repetitions timed rounds over all caches
 * @param fillChunk most tokens of one step while a cache is filled up to a depth, which is not timed
 * @param seed of the random tokens that are fed
 */
public record SpeedOptions(int prefill, List<Integer> depths, int decode, int repetitions, int fillChunk, long seed) {
    /** Default of {@link #decode}. */
    public static final int DECODE = 128;

    /** Default of {@link #fillChunk}. */
    public static final int FILL_CHUNK = 512;

    /** Checks the ranges. */
    public SpeedOptions {
        depths = List.copyOf(depths);
        atLeastOne("prefill", prefill);
        atLeastOne("decode tokens", decode);
        atLeastOne("repetitions", repetitions);
        atLeastOne("fill chunk", fillChunk);
        int before = -1;
        for (int depth : depths) {
            if (depth <= before) {
                throw new InvalidInputException("depth: " + depths + " must ascend from 0 or more, each once");
            }
            before = depth;
        }
        if (depths.isEmpty()) {
            throw new InvalidInputException("depth: none given, at least one is needed");
        }
    }

    private static void atLeastOne(String option, int value) {
        if (value < 1) {
            throw new InvalidInputException(option + ": " + value + ", at least 1 is needed");
        }
    }

    /** Tokens of the longest sequence that is run. */
    public int longest() {
        return Math.max(prefill, depths.getLast() + decode);
    }
}
