package dev.kvasir.cache.selection;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * A row of bits for each token or page: how heads behave towards it (KVCrush, arXiv 2503.00022). A row has parts of equally
 * many bits, one for each layer that speaks, each in whole words.
 *
 * <pre>
 *   row = part 0: bits 0..63 | bits 64.. , unused | part 1: ...
 * </pre>
 */
public final class Signatures {
    private long[] words = {};
    private int rows;
    private int parts;
    private int bits;
    private int partWords;

    /** Begins again with rows of {@code parts} times {@code bits} bits, none of them set. */
    public void reset(int newRows, int newParts, int newBits) {
        rows = newRows;
        parts = newParts;
        bits = newBits;
        partWords = Math.ceilDiv(newBits, Long.SIZE);
        int size = rows * parts * partWords;
        if (words.length < size) {
            words = new long[size + size / 4];
        }
        Arrays.fill(words, 0, size, 0);
    }

    /** Rows there are. */
    public int rows() {
        return rows;
    }

    /** Parts of a row. */
    public int parts() {
        return parts;
    }

    /** Bits of a part. */
    public int bits() {
        return bits;
    }

    /** Sets a bit. */
    public void set(int row, int part, int bit) {
        words[at(row, part) + bit / Long.SIZE] |= 1L << bit;
    }

    /** Whether a bit is set. */
    public boolean get(int row, int part, int bit) {
        return (words[at(row, part) + bit / Long.SIZE] >>> bit & 1) != 0;
    }

    /** Takes a part from a row of others, whose parts have as many bits. */
    public void copy(int row, int part, Signatures from, int fromRow, int fromPart) {
        System.arraycopy(from.words, from.at(fromRow, fromPart), words, at(row, part), partWords);
    }

    private int at(int row, int part) {
        return (row * parts + part) * partWords;
    }

    /** Bits of a row that differ from a pattern, which is laid out as a row is: the Hamming distance. */
    public int distance(int row, long[] pattern) {
        int first = at(row, 0);
        int distance = 0;
        for (int i = 0; i < parts * partWords; i++) {
            distance += Long.bitCount(words[first + i] ^ pattern[i]);
        }
        return distance;
    }

    /** A pattern of the bits that {@code chosen} says, by their number in the whole row. */
    public long[] pattern(IntPredicate chosen) {
        long[] pattern = new long[parts * partWords];
        for (int i = 0; i < parts * bits; i++) {
            if (chosen.test(i)) {
                pattern[i / bits * partWords + i % bits / Long.SIZE] |= 1L << i % bits;
            }
        }
        return pattern;
    }

    /** How many rows have each bit set, by its number in the whole row. */
    public int[] counts() {
        int[] counts = new int[parts * bits];
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < counts.length; i++) {
                counts[i] += get(row, i / bits, i % bits) ? 1 : 0;
            }
        }
        return counts;
    }
}
