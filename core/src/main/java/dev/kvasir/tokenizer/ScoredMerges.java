package dev.kvasir.tokenizer;

import dev.kvasir.format.gguf.GgufMetadata;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Merges of a SentencePiece BPE, which has only scores: of all neighbours that together spell a token, those with the best
 * score are merged first, the leftmost of equals (Kudo and Richardson, SentencePiece, 2018).
 *
 * <p>Each way to cut a token into two tokens is a merge, ranked by the score of the whole. Ranks put one cut of a token
 * before another wherever they stand, SentencePiece the one further left: that differs only where both cuts share their
 * middle, as in {@code a|aa|a}; a longer left part goes first, as in Hugging Face's conversion.
 */
final class ScoredMerges {
    private static final String SCORES = "tokenizer.ggml.scores";
    /** Longest token that may be cut: the work grows with its square. SentencePiece's own limit is 16. */
    private static final int MAX_LENGTH = 256;

    private static final Comparator<Merge> ORDER = Comparator.comparing(Merge::userDefined)
            .reversed()
            .thenComparing(Comparator.comparingDouble(Merge::score).reversed())
            .thenComparing(
                    Comparator.comparingInt((Merge m) -> m.left().length()).reversed())
            .thenComparingInt(Merge::id);

    private ScoredMerges() {}

    /**
     * Two tokens that become a third.
     *
     * @param id of the third
     * @param userDefined whether that is one which is found before anything else is: SentencePiece looks for them first
     */
    record Merge(String left, String right, int id, boolean userDefined, double score) {}

    /** All merges, the first to apply first. */
    static List<Merge> of(GgufVocabulary vocabulary) {
        GgufMetadata metadata = vocabulary.metadata();
        float[] scores = metadata.floats(SCORES).orElseThrow(() -> metadata.missing(SCORES));
        GgufVocabulary.requireCount(metadata, SCORES, scores.length, vocabulary.size());
        Map<String, Integer> parts = new HashMap<>();
        for (int id = 0; id < vocabulary.size(); id++) {
            if (isText(vocabulary.kinds().get(id))) {
                parts.put(vocabulary.tokens().get(id), id);
            }
        }
        List<Merge> merges = new ArrayList<>();
        for (int id : parts.values()) {
            String token = vocabulary.tokens().get(id);
            if (!(Math.abs(scores[id]) <= Float.MAX_VALUE)) {
                throw metadata.problem(SCORES, "must be finite, found " + scores[id] + " for token " + id);
            }
            if (token.length() > MAX_LENGTH) {
                throw metadata.problem(
                        GgufVocabulary.TOKENS,
                        "must be of at most " + MAX_LENGTH + " characters, found " + token.length() + " for token "
                                + id);
            }
            boolean userDefined = vocabulary.kinds().get(id) == GgufVocabulary.Kind.USER_DEFINED;
            for (int cut = 1; cut < token.length(); cut++) {
                String left = token.substring(0, cut);
                String right = token.substring(cut);
                if (parts.containsKey(left) && parts.containsKey(right)) {
                    merges.add(new Merge(left, right, id, userDefined, scores[id]));
                }
            }
        }
        merges.sort(ORDER);
        return merges;
    }

    private static boolean isText(GgufVocabulary.Kind kind) {
        return switch (kind) {
            case UNDEFINED, NORMAL, USER_DEFINED, UNUSED -> true;
            case UNKNOWN, CONTROL, BYTE -> false;
        };
    }
}
