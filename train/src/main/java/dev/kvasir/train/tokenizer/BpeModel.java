package dev.kvasir.train.tokenizer;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Byte-pair encoding: a word starts as bytes, and the earliest learnt merge that fits is made until none does.
 *
 * <p>Source: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016.
 */
public final class BpeModel implements SubwordModel {
    /**
     * One learnt merge.
     *
     * @param left id of the left piece
     * @param right id of the right piece
     * @param merged id of their concatenation
     */
    public record Merge(int left, int right, int merged) {}

    private final List<String> pieces;
    private final List<Merge> merges;
    private final Map<Long, Integer> ranks = new HashMap<>();

    BpeModel(List<String> pieces, List<Merge> merges) {
        this.pieces = List.copyOf(pieces);
        this.merges = List.copyOf(merges);
        for (int rank = 0; rank < merges.size(); rank++) {
            ranks.put(key(merges.get(rank).left(), merges.get(rank).right()), rank);
        }
    }

    @Override
    public List<String> pieces() {
        return pieces;
    }

    /** The merges in the order they are tried. */
    public List<Merge> merges() {
        return merges;
    }

    @Override
    public int[] segment(String word) {
        int[] ids = word.chars().map(c -> ByteAlphabet.value((char) c)).toArray();
        int length = ids.length;
        while (true) {
            int at = -1;
            int best = Integer.MAX_VALUE;
            for (int i = 0; i + 1 < length; i++) {
                @Nullable Integer rank = ranks.get(key(ids[i], ids[i + 1]));
                if (rank != null && rank < best) {
                    best = rank;
                    at = i;
                }
            }
            if (at < 0) {
                return Arrays.copyOf(ids, length);
            }
            ids[at] = merges.get(best).merged();
            System.arraycopy(ids, at + 2, ids, at + 1, length - at - 2);
            length--;
        }
    }

    private static long key(int left, int right) {
        return ((long) left << 32) | right;
    }
}
