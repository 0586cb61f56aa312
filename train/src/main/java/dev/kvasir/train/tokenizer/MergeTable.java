package dev.kvasir.train.tokenizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A table of words cut into pieces, with the counts of all pieces and of all neighbouring pairs kept up to date while
 * pairs are merged.
 *
 * <p>Pair counts are of uses that do not overlap, left to right ("aaa" holds "aa" once), so they are the merges that
 * would really be made.
 */
final class MergeTable {
    /** Two pieces seen side by side, {@code count} times at present. */
    static final class Pair {
        final int left;
        final int right;
        long count;
        /** Priority of the newest heap entry; see {@link PairHeap}. */
        double queued = Double.NEGATIVE_INFINITY;
        /** Words that held the pair at some time; may repeat and may be outdated. */
        private int[] words = new int[2];

        private int wordCount;
        private int changedBy = -1;

        private Pair(int left, int right) {
            this.left = left;
            this.right = right;
        }

        private void seenIn(int word) {
            if (wordCount > 0 && words[wordCount - 1] == word) {
                return;
            }
            if (wordCount == words.length) {
                words = Arrays.copyOf(words, 2 * wordCount);
            }
            words[wordCount++] = word;
        }
    }

    private final List<String> pieces = new ArrayList<>();
    private final Map<String, Integer> ids = new HashMap<>();
    private final Map<Long, Pair> pairs = new HashMap<>();
    private final List<List<Pair>> pairsOf = new ArrayList<>();
    private final int[][] words;
    private final long[] wordCounts;
    private final int[] mergedBy;
    private long[] pieceCounts = new long[2 * ByteAlphabet.SIZE];
    private long total;
    private int merges;

    /** A table with one piece per byte. */
    MergeTable(WordCounts counts) {
        this(counts, new BpeModel(ByteAlphabet.symbols(), List.of()));
    }

    /** A table cut as {@code model} cuts it. */
    MergeTable(WordCounts counts, SubwordModel model) {
        model.pieces().forEach(this::idOf);
        words = new int[counts.size()][];
        wordCounts = new long[counts.size()];
        mergedBy = new int[counts.size()];
        Arrays.fill(mergedBy, -1);
        List<Pair> ignored = new ArrayList<>();
        for (int w = 0; w < words.length; w++) {
            words[w] = model.segment(counts.words().get(w));
            wordCounts[w] = counts.counts().get(w);
            count(w, wordCounts[w], -1, ignored);
        }
        for (Pair pair : ignored) {
            pair.changedBy = -1;
        }
    }

    /** All pieces made so far; the index is the piece's id, the first 256 are the bytes. */
    List<String> pieces() {
        return pieces;
    }

    /** All pairs ever seen; a pair that is gone has count 0. */
    Iterable<Pair> pairs() {
        return pairs.values();
    }

    /** Uses of piece {@code id} at present. */
    long count(int id) {
        return pieceCounts[id];
    }

    /** Uses of all pieces at present. */
    long total() {
        return total;
    }

    /** The string that merging {@code pair} makes. */
    String merged(Pair pair) {
        return pieces.get(pair.left) + pieces.get(pair.right);
    }

    /** The id of {@code piece}, or -1 when there is none yet. */
    int find(String piece) {
        return ids.getOrDefault(piece, -1);
    }

    /** All pairs ever seen in which piece {@code id} takes part. */
    List<Pair> pairsOf(int id) {
        return pairsOf.get(id);
    }

    /** Replaces every use of {@code pair} by its merged piece, an old one where the string is known; returns the pairs whose counts changed. */
    List<Pair> merge(Pair pair) {
        int merged = idOf(merged(pair));
        List<Pair> changed = new ArrayList<>();
        int[] candidates = Arrays.copyOf(pair.words, pair.wordCount);
        pair.wordCount = 0;
        for (int w : candidates) {
            if (mergedBy[w] != merges && holds(words[w], pair)) {
                mergedBy[w] = merges;
                count(w, -wordCounts[w], -1, changed);
                words[w] = replace(words[w], pair, merged);
                count(w, wordCounts[w], merged, changed);
            }
        }
        merges++;
        return changed;
    }

    private int idOf(String piece) {
        Integer known = ids.putIfAbsent(piece, pieces.size());
        if (known != null) {
            return known;
        }
        pieces.add(piece);
        pairsOf.add(new ArrayList<>());
        if (pieces.size() > pieceCounts.length) {
            pieceCounts = Arrays.copyOf(pieceCounts, 2 * pieceCounts.length);
        }
        return pieces.size() - 1;
    }

    /** Adds {@code count} for each piece and pair of word {@code w}; only pairs with {@code fresh} (all if -1) can be new to it. */
    private void count(int w, long count, int fresh, List<Pair> changed) {
        int[] word = words[w];
        int paired = -2; // where the last counted pair of equal pieces began
        for (int i = 0; i < word.length; i++) {
            pieceCounts[word[i]] += count;
            total += count;
            if (i + 1 == word.length) {
                break;
            }
            int left = word[i];
            int right = word[i + 1];
            if (left == right) {
                if (paired == i - 1) {
                    continue;
                }
                paired = i;
            }
            Pair pair = pairs.computeIfAbsent(key(left, right), k -> newPair(left, right));
            pair.count += count;
            if (count > 0 && (fresh < 0 || left == fresh || right == fresh)) {
                pair.seenIn(w);
            }
            if (pair.changedBy != merges) {
                pair.changedBy = merges;
                changed.add(pair);
            }
        }
    }

    private Pair newPair(int left, int right) {
        Pair pair = new Pair(left, right);
        pairsOf.get(left).add(pair);
        if (right != left) {
            pairsOf.get(right).add(pair);
        }
        return pair;
    }

    private static boolean holds(int[] word, Pair pair) {
        for (int i = 0; i + 1 < word.length; i++) {
            if (word[i] == pair.left && word[i + 1] == pair.right) {
                return true;
            }
        }
        return false;
    }

    private static int[] replace(int[] word, Pair pair, int merged) {
        int[] result = new int[word.length];
        int length = 0;
        for (int i = 0; i < word.length; i++) {
            if (i + 1 < word.length && word[i] == pair.left && word[i + 1] == pair.right) {
                result[length++] = merged;
                i++;
            } else {
                result[length++] = word[i];
            }
        }
        return Arrays.copyOf(result, length);
    }

    private static long key(int left, int right) {
        return ((long) left << 32) | right;
    }
}
