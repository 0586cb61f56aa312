package dev.kvasir.train.tokenizer;

import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * The pieces {@link SweEm} starts from: the bytes, all byte-pair pieces, and the substrings of words that cover the most
 * bytes.
 *
 * <p>A substring that never occurs without the same neighbour ("icawbe" in "Micawber") comes after all that do: the
 * longer one says as much, and such fragments would fill the seed.
 */
final class SweSeed {
    /** Substrings held at a time; the most frequent words are read first. */
    private static final int MAX_SUBSTRINGS = 4_000_000;

    private SweSeed() {}

    /** The pieces, the 256 bytes first, with how often each occurs. */
    static Map<String, Long> of(WordCounts table, TokenizerOptions options, Progress progress) {
        Set<String> seed = new LinkedHashSet<>(
                BpeTrainer.trainUpTo(table, options.pieces(), progress).pieces());
        progress.report(0, 1, "counting substrings");
        Map<String, long[]> substrings = substrings(table, options.maxPieceBytes());
        Set<String> fragments = fragments(substrings);
        Comparator<Map.Entry<String, long[]>> maximalFirst = Comparator.comparing(e -> fragments.contains(e.getKey()));
        substrings.entrySet().stream()
                .filter(e -> e.getKey().length() > 1 && e.getValue()[0] > 1)
                .sorted(maximalFirst
                        .thenComparingLong(e -> -e.getValue()[0] * e.getKey().length())
                        .thenComparing(Map.Entry.comparingByKey()))
                .limit((long) options.seedFactor() * options.pieces())
                .forEach(e -> seed.add(e.getKey()));
        Map<String, Long> counts = new LinkedHashMap<>();
        for (String piece : seed) {
            // A byte the text lacks, or a byte-pair piece longer than the substrings counted.
            long[] uses = substrings.get(piece);
            counts.put(piece, uses == null ? 1 : uses[0]);
        }
        return counts;
    }

    /** The substrings that occur no more often than one a byte longer does. */
    private static Set<String> fragments(Map<String, long[]> substrings) {
        Set<String> fragments = new HashSet<>();
        substrings.forEach((longer, uses) -> {
            if (longer.length() > 1 && uses[0] > 1) {
                for (int cut = 0; cut < 2; cut++) {
                    String shorter = longer.substring(cut, longer.length() - 1 + cut);
                    long[] others = substrings.get(shorter);
                    if (others != null && others[0] == uses[0]) {
                        fragments.add(shorter);
                    }
                }
            }
        });
        return fragments;
    }

    private static Map<String, long[]> substrings(WordCounts table, int maxBytes) {
        Map<String, long[]> substrings = new HashMap<>();
        List<Integer> byCount = IntStream.range(0, table.size())
                .boxed()
                .sorted(Comparator.comparingLong((Integer w) -> -table.counts().get(w)))
                .toList();
        for (int w : byCount) {
            String word = table.words().get(w);
            long count = table.counts().get(w);
            for (int from = 0; from < word.length(); from++) {
                for (int to = from + 1; to <= Math.min(word.length(), from + maxBytes); to++) {
                    String substring = word.substring(from, to);
                    long[] uses = substrings.get(substring);
                    if (uses == null && substrings.size() < MAX_SUBSTRINGS) {
                        uses = new long[1];
                        substrings.put(substring, uses);
                    }
                    if (uses != null) {
                        uses[0] += count;
                    }
                }
            }
        }
        return substrings;
    }
}
