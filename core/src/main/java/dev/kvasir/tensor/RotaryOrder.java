package dev.kvasir.tensor;

import dev.kvasir.InvalidInputException;

/**
 * Which rotary pair lies where in the heads of a layer, where a conversion has moved them.
 *
 * <p>A head is cut into blocks of {@code block} channels. Each holds whole pairs, their first halves and then their second
 * ones; the pairs of KV head {@code h} are {@code pairs[h]}, block after block:
 *
 * <pre>
 *   block 0                                             block 1
 *   | x of pairs[h][0 .. B/2-1] | y of the same pairs | | x of pairs[h][B/2 .. B-1] | y of the same pairs | ...
 * </pre>
 *
 * <p>Pair {@code i} is channels {@code i} and {@code i + headDim / 2} of the model it was made from, turned by the {@code i}-th
 * frequency. All query heads of a KV head have its order, so every product of a query and a key is what it was.
 */
public final class RotaryOrder {
    private final int block;
    private final int[][] pairs;

    /**
     * Checks and keeps a copy.
     *
     * @param block channels of a block: even, and a divisor of the head's
     * @param pairs {@code [kvHeads][headDim / 2]}, in each row every pair once
     * @throws InvalidInputException naming what is wrong, found and allowed
     */
    public RotaryOrder(int block, int[][] pairs) {
        if (pairs.length == 0 || pairs[0].length == 0) {
            throw new InvalidInputException("a rotary order needs at least one KV head of one pair");
        }
        int half = pairs[0].length;
        checkBlock(block, 2 * half);
        this.block = block;
        this.pairs = new int[pairs.length][];
        for (int h = 0; h < pairs.length; h++) {
            checkPermutation(h, pairs[h], half);
            this.pairs[h] = pairs[h].clone();
        }
    }

    /** Fails unless a head of {@code headDim} channels can be cut into such blocks. */
    public static void checkBlock(int block, int headDim) {
        if (block < 2 || block % 2 != 0 || headDim % block != 0) {
            throw new InvalidInputException(
                    "a rotary block must be even and divide the head's " + headDim + " channels, found " + block);
        }
    }

    private static void checkPermutation(int head, int[] order, int half) {
        boolean[] seen = new boolean[half];
        if (order.length != half) {
            throw new InvalidInputException(
                    "rotary order of KV head " + head + " must have " + half + " pairs, found " + order.length);
        }
        for (int pair : order) {
            if (pair < 0 || pair >= half || seen[pair]) {
                throw new InvalidInputException("rotary order of KV head " + head + " must hold each of 0 to "
                        + (half - 1) + " once, found " + pair + (pair < 0 || pair >= half ? "" : " twice"));
            }
            seen[pair] = true;
        }
    }

    /** Channels of a block. */
    public int block() {
        return block;
    }

    /** KV heads of the layer. */
    public int kvHeads() {
        return pairs.length;
    }

    /** Channels of a head. */
    public int headDim() {
        return 2 * pairs[0].length;
    }

    /** The pairs of a KV head, block after block. */
    public int[] pairs(int kvHead) {
        return pairs[kvHead].clone();
    }

    /** For each channel of a head of {@code kvHead} the channel of the original head that lies there. */
    public int[] channels(int kvHead) {
        int half = pairs[kvHead].length;
        int halfBlock = block / 2;
        int[] channels = new int[2 * half];
        for (int place = 0; place < half; place++) {
            int first = place / halfBlock * block + place % halfBlock;
            channels[first] = pairs[kvHead][place];
            channels[first + halfBlock] = pairs[kvHead][place] + half;
        }
        return channels;
    }

    /** Gathers the angles of a KV head in the order of its pairs. */
    void gather(int kvHead, float[] angles, int from, float[] out) {
        int[] order = pairs[kvHead];
        for (int place = 0; place < order.length; place++) {
            out[place] = angles[from + order[place]];
        }
    }
}
