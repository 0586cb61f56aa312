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
 * @param fill how a cache is filled up to a depth
 */
public record SpeedOptions(
        int prefill, List<Integer> depths, int decode, int repetitions, int fillChunk, long seed, Fill fill) {
    /** How a cache is filled up to a depth. */
    public enum Fill {
        /** The model runs over every token. */
        REAL,
        /**
         * The model runs over the prompt, at most {@link #FILL_CHUNK} tokens of it; its keys and values are stored again and
         * again with advancing positions, through the cache's own way in.
         */
        REPEAT
    }

    /** Default of {@link #decode}. */
    public static final int DECODE = 128;

    /** Default of {@link #fillChunk}. */
    public static final int FILL_CHUNK = 512;

    /** Options of a bench that runs the model over every token. */
    public SpeedOptions(int prefill, List<Integer> depths, int decode, int repetitions, int fillChunk, long seed) {
        this(prefill, depths, decode, repetitions, fillChunk, seed, Fill.REAL);
    }

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

    /** Tokens that the model runs over before they are repeated: all of them if the fill is real. */
    public int repeated() {
        return fill == Fill.REPEAT ? Math.min(prefill, FILL_CHUNK) : Integer.MAX_VALUE;
    }

    /** Tokens of the longest sequence that is run. */
    public int longest() {
        return Math.max(prefill, depths.getLast() + decode);
    }
}
