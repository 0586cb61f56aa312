package dev.kvasir.train.tokenizer;

import java.util.Arrays;
import java.util.List;

/**
 * Every way to cut every word of a table into pieces of a vocabulary, as edges from byte to byte.
 *
 * <p>The edges of a word lie together, sorted by where they end and then by where they begin, so one walk forward or
 * backward over them is a pass of the forward-backward or the Viterbi algorithm.
 */
final class Lattice {
    private final long[] wordCounts;
    private final int[] wordBytes;
    /** The edges of word w are from {@code edgeStart[w]} to {@code edgeStart[w + 1]}. */
    private final int[] edgeStart;

    private int[] pieces = new int[1024];
    private short[] from = new short[1024];
    private short[] to = new short[1024];

    Lattice(WordCounts words, List<String> vocabulary) {
        Trie trie = new Trie(vocabulary);
        wordCounts = words.counts().stream().mapToLong(Long::longValue).toArray();
        wordBytes = words.words().stream().mapToInt(String::length).toArray();
        edgeStart = new int[words.size() + 1];
        int edges = 0;
        int[] found = new int[WordCounts.MAX_WORD_BYTES * WordCounts.MAX_WORD_BYTES];
        for (int w = 0; w < words.size(); w++) {
            edgeStart[w] = edges;
            String word = words.words().get(w);
            int count = find(word, trie, found);
            while (edges + count > pieces.length) {
                pieces = Arrays.copyOf(pieces, 2 * pieces.length);
                from = Arrays.copyOf(from, 2 * from.length);
                to = Arrays.copyOf(to, 2 * to.length);
            }
            // found holds end << 8 | begin, so its order is the order of the edges
            Arrays.sort(found, 0, count);
            for (int i = 0; i < count; i++) {
                to[edges] = (short) ((found[i] >> 8) + 1);
                from[edges] = (short) (found[i] & 0xff);
                pieces[edges] = piece(word, trie, from[edges], to[edges]);
                edges++;
            }
        }
        edgeStart[words.size()] = edges;
    }

    /** Forgets the pieces that {@code newIds} maps to -1 and renames the others. */
    void rename(int[] newIds) {
        int kept = 0;
        for (int w = 0; w < wordCounts.length; w++) {
            int first = kept;
            for (int e = edgeStart[w]; e < edgeStart[w + 1]; e++) {
                if (newIds[pieces[e]] >= 0) {
                    pieces[kept] = newIds[pieces[e]];
                    from[kept] = from[e];
                    to[kept] = to[e];
                    kept++;
                }
            }
            edgeStart[w] = first;
        }
        edgeStart[wordCounts.length] = kept;
    }

    /**
     * Adds to {@code counts} the uses of each piece expected under {@code logP}; returns the marginal log-likelihood of
     * the table, over all ways to cut it, in nats.
     */
    double expect(double[] logP, double[] counts) {
        double likelihood = 0;
        double[] forward = new double[WordCounts.MAX_WORD_BYTES + 1];
        double[] backward = new double[WordCounts.MAX_WORD_BYTES + 1];
        for (int w = 0; w < wordCounts.length; w++) {
            int bytes = wordBytes[w];
            Arrays.fill(forward, 1, bytes + 1, Double.NEGATIVE_INFINITY);
            Arrays.fill(backward, 0, bytes, Double.NEGATIVE_INFINITY);
            forward[0] = 0;
            backward[bytes] = 0;
            for (int e = edgeStart[w]; e < edgeStart[w + 1]; e++) {
                forward[to[e]] = logAdd(forward[to[e]], forward[from[e]] + logP[pieces[e]]);
            }
            // Descending ends are a valid order backward: every edge out of a byte ends after it.
            for (int e = edgeStart[w + 1] - 1; e >= edgeStart[w]; e--) {
                backward[from[e]] = logAdd(backward[from[e]], backward[to[e]] + logP[pieces[e]]);
            }
            for (int e = edgeStart[w]; e < edgeStart[w + 1]; e++) {
                counts[pieces[e]] +=
                        wordCounts[w] * Math.exp(forward[from[e]] + logP[pieces[e]] + backward[to[e]] - forward[bytes]);
            }
            likelihood += wordCounts[w] * forward[bytes];
        }
        return likelihood;
    }

    /** Adds to {@code counts} the uses of each piece in the best cuts under {@code logP}; returns the log-likelihood of those cuts, in nats. */
    double best(double[] logP, double[] counts) {
        double likelihood = 0;
        double[] best = new double[WordCounts.MAX_WORD_BYTES + 1];
        int[] last = new int[WordCounts.MAX_WORD_BYTES + 1];
        for (int w = 0; w < wordCounts.length; w++) {
            int bytes = wordBytes[w];
            Arrays.fill(best, 1, bytes + 1, Double.NEGATIVE_INFINITY);
            for (int e = edgeStart[w]; e < edgeStart[w + 1]; e++) {
                double score = best[from[e]] + logP[pieces[e]];
                if (score > best[to[e]]) {
                    best[to[e]] = score;
                    last[to[e]] = e;
                }
            }
            for (int at = bytes; at > 0; at = from[last[at]]) {
                counts[pieces[last[at]]] += wordCounts[w];
            }
            likelihood += wordCounts[w] * best[bytes];
        }
        return likelihood;
    }

    private static int find(String word, Trie trie, int[] found) {
        int count = 0;
        for (int begin = 0; begin < word.length(); begin++) {
            int node = Trie.ROOT;
            for (int end = begin; end < word.length(); end++) {
                node = trie.child(node, word.charAt(end));
                if (node == Trie.NONE) {
                    break;
                }
                if (trie.piece(node) >= 0) {
                    found[count++] = end << 8 | begin;
                }
            }
        }
        return count;
    }

    private static int piece(String word, Trie trie, int from, int to) {
        int node = Trie.ROOT;
        for (int i = from; i < to; i++) {
            node = trie.child(node, word.charAt(i));
        }
        return trie.piece(node);
    }

    private static double logAdd(double a, double b) {
        if (a == Double.NEGATIVE_INFINITY) {
            return b;
        }
        double high = Math.max(a, b);
        return high + Math.log1p(Math.exp(Math.min(a, b) - high));
    }
}
