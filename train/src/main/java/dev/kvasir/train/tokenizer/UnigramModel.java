package dev.kvasir.train.tokenizer;

import java.util.Arrays;
import java.util.List;

/**
 * Unigram pieces: a word is cut so that the product of its pieces' probabilities is highest, found exactly by Viterbi
 * search; of equal cuts the one whose pieces begin earliest, seen from the end, is taken.
 *
 * <p>Source: Kudo, "Subword Regularization", ACL 2018, section 3.2.
 */
public final class UnigramModel implements SubwordModel {
    private final List<String> pieces;
    private final double[] scores;
    private final Trie trie;

    /** A model of {@code pieces}, all 256 bytes among them, with the natural logarithms of their probabilities. */
    UnigramModel(List<String> pieces, double[] scores) {
        this.pieces = List.copyOf(pieces);
        this.scores = scores.clone();
        this.trie = new Trie(this.pieces);
    }

    @Override
    public List<String> pieces() {
        return pieces;
    }

    /** The natural logarithm of the probability of piece {@code id}. */
    public double score(int id) {
        return scores[id];
    }

    @Override
    public int[] segment(String word) {
        return segment(word, -1);
    }

    /** As {@link #segment(String)}, but never with the piece {@code banned}. */
    int[] segment(String word, int banned) {
        double[] best = new double[word.length() + 1];
        Arrays.fill(best, Double.NEGATIVE_INFINITY);
        best[0] = 0;
        int[] last = new int[word.length() + 1];
        int[] cuts = new int[word.length() + 1];
        Arrays.fill(last, -1);
        for (int from = 0; from < word.length(); from++) {
            int node = Trie.ROOT;
            for (int to = from; to < word.length(); to++) {
                node = trie.child(node, word.charAt(to));
                if (node == Trie.NONE) {
                    break;
                }
                int piece = trie.piece(node);
                if (piece < 0 || piece == banned) {
                    continue;
                }
                double score = best[from] + scores[piece];
                if (last[to + 1] < 0 || score > best[to + 1]) {
                    best[to + 1] = score;
                    last[to + 1] = piece;
                    cuts[to + 1] = cuts[from] + 1;
                }
            }
        }
        int[] segments = new int[cuts[word.length()]];
        int at = word.length();
        for (int i = segments.length - 1; i >= 0; i--) {
            segments[i] = last[at];
            at -= pieces.get(last[at]).length();
        }
        return segments;
    }
}
