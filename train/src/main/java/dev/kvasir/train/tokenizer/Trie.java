package dev.kvasir.train.tokenizer;

import java.util.Arrays;
import java.util.List;

/** The pieces of a vocabulary as a prefix tree over bytes; finds every piece that begins at a place in one walk. */
final class Trie {
    /** The node every walk begins at. */
    static final int ROOT = 0;

    /** What {@link #child} answers where no piece goes on. */
    static final int NONE = -1;

    // Open addressing from node * 256 + byte to child; the load stays under one half.
    private final long[] keys;
    private final int[] children;
    private final int[] pieceAt;

    Trie(List<String> pieces) {
        int bytes = pieces.stream().mapToInt(String::length).sum();
        int capacity = Integer.highestOneBit(Math.max(1, bytes)) * 4;
        keys = new long[capacity];
        Arrays.fill(keys, -1);
        children = new int[capacity];
        pieceAt = new int[bytes + 1];
        Arrays.fill(pieceAt, -1);
        int nodes = 1;
        for (int id = 0; id < pieces.size(); id++) {
            int node = ROOT;
            for (int i = 0; i < pieces.get(id).length(); i++) {
                int slot = slot(node, pieces.get(id).charAt(i));
                if (keys[slot] < 0) {
                    keys[slot] = key(node, pieces.get(id).charAt(i));
                    children[slot] = nodes++;
                }
                node = children[slot];
            }
            pieceAt[node] = id;
        }
    }

    /** The node after {@code symbol}, or {@link #NONE}. */
    int child(int node, char symbol) {
        int slot = slot(node, symbol);
        return keys[slot] < 0 ? NONE : children[slot];
    }

    /** The id of the piece that ends at {@code node}, or -1. */
    int piece(int node) {
        return pieceAt[node];
    }

    private int slot(int node, char symbol) {
        long key = key(node, symbol);
        int slot = (int) ((key * 0x9e3779b97f4a7c15L) >>> 32) & (keys.length - 1);
        while (keys[slot] >= 0 && keys[slot] != key) {
            slot = (slot + 1) & (keys.length - 1);
        }
        return slot;
    }

    private static long key(int node, char symbol) {
        return ((long) node << 8) | ByteAlphabet.value(symbol);
    }
}
