package dev.kvasir.cache.method.kvcrush;

import dev.kvasir.cache.selection.HammingOrder;
import java.util.Arrays;

/** Room for what one head decides in a step; layers follow each other and share it. */
final class HeadEvent {
    /** Evictable candidates: position in the upper half, candidate in the lower; ascending. */
    long[] order = {};

    /** Importance of those, in the same order. */
    float[] worth = {};

    /** Bits of those, one for each query head that speaks. */
    long[] marks = {};

    /** Rows of those in the layer's signatures. */
    int[] rows = {};

    int count;

    /** Tokens with the last bit. */
    int marked;

    // In the choice of pages, or tokens.
    long[] ranks = {};
    long[] sorted = {};
    int[] distances = {};
    int[] eligible = {};
    int[] chosen = {};
    boolean[] stays = {};
    float[] queryScores = {};
    float[] queryWorth = {};
    final HammingOrder hamming = new HammingOrder();

    void fit(int candidates) {
        if (stays.length >= candidates) {
            return;
        }
        int size = candidates + candidates / 4;
        order = new long[size];
        worth = new float[size];
        marks = new long[size];
        rows = new int[size];
        ranks = new long[size];
        sorted = new long[size];
        distances = new int[size];
        eligible = new int[size];
        chosen = new int[size];
        stays = new boolean[size];
        queryScores = new float[size];
        queryWorth = new float[size];
    }

    /** Takes the evictable candidates in the order of positions. */
    void add(int position, int candidate) {
        order[count++] = (long) position << 32 | candidate;
    }

    void sort() {
        Arrays.sort(order, 0, count);
    }

    int position(int index) {
        return (int) (order[index] >>> 32);
    }

    int candidate(int index) {
        return (int) order[index];
    }
}
