package dev.kvasir.train.tokenizer;

import dev.kvasir.InvalidInputException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * {@link Search#EXACT}: the cut of every word, of at most so many different pieces beyond the bytes, whose likelihood is
 * highest, by branch and bound.
 *
 * <p>All uses of a word are cut alike in some optimum, because the likelihood of counts is convex. Words are decided from
 * the heaviest on. The best likelihood of counts c + d is at most that of c plus that of d, so a branch can reach at
 * most the likelihood of what it has decided plus the optimum of the undecided words alone, to which all pieces are still
 * free; those optima are found first, from the last word back (Verfaillie, Lemaitre, Schiex, "Russian Doll Search",
 * AAAI 1996).
 */
final class SweExact {
    private static final int MAX_WORDS = 32;
    private static final int MAX_BYTES = 200;

    /** Branches that could gain less than this share are not followed: they differ by rounding. */
    private static final double TOLERANCE = 1e-12;

    private final List<String> words = new ArrayList<>();
    private final List<Long> weights = new ArrayList<>();
    private final int maxPieceBytes;
    private final int budget;
    private final long maxNodes;
    private final List<String> pieces = new ArrayList<>();
    /** [word][from][to - from - 1]: the piece that spans these bytes. */
    private final int[][][] spans;

    private final double[] optimumFrom;
    private final double[] counts;
    private double[] bestCounts = {};
    private double phiSum;
    private double total;
    private int used;
    private double best;
    private long nodes;

    private SweExact(WordCounts table, int budget, int maxPieceBytes, long maxNodes) {
        this.maxNodes = maxNodes;
        this.budget = budget;
        this.maxPieceBytes = maxPieceBytes;
        IntStream.range(0, table.size())
                .boxed()
                .sorted(Comparator.comparingLong((Integer w) ->
                        -table.counts().get(w) * table.words().get(w).length()))
                .forEach(w -> {
                    words.add(table.words().get(w));
                    weights.add(table.counts().get(w));
                });
        Map<String, Integer> ids = new HashMap<>();
        pieces.addAll(ByteAlphabet.symbols());
        pieces.forEach(symbol -> ids.put(symbol, ids.size()));
        spans = new int[words.size()][][];
        for (int w = 0; w < spans.length; w++) {
            spans[w] = spans(words.get(w), ids);
        }
        optimumFrom = new double[words.size() + 1];
        counts = new double[pieces.size()];
    }

    /**
     * At most {@code pieces} pieces; empty when {@code maxNodes} nodes do not suffice.
     *
     * @throws InvalidInputException when the table is not tiny
     */
    static Optional<UnigramFit> train(
            WordCounts table, int pieces, int maxPieceBytes, long maxNodes, Progress progress) {
        int bytes = table.words().stream().mapToInt(String::length).sum();
        if (table.size() > MAX_WORDS || bytes > MAX_BYTES) {
            throw new InvalidInputException("search EXACT: the text has " + table.size() + " different words of "
                    + bytes + " bytes, allowed are " + MAX_WORDS + " words of " + MAX_BYTES
                    + " bytes; use EM or GREEDY");
        }
        return new SweExact(table, pieces - ByteAlphabet.SIZE, maxPieceBytes, maxNodes).search(progress);
    }

    private Optional<UnigramFit> search(Progress progress) {
        for (int first = words.size() - 1; first >= 0; first--) {
            best = -Double.MAX_VALUE;
            decide(first, 0);
            if (nodes > maxNodes) {
                return Optional.empty();
            }
            optimumFrom[first] = best;
            progress.report(words.size() - first, words.size(), "solving words");
        }
        List<String> kept = new ArrayList<>();
        List<Double> uses = new ArrayList<>();
        for (int id = 0; id < pieces.size(); id++) {
            if (id < ByteAlphabet.SIZE || bestCounts[id] > 0) {
                kept.add(pieces.get(id));
                uses.add(bestCounts[id]);
            }
        }
        return Optional.of(UnigramFit.of(
                kept, uses.stream().mapToDouble(Double::doubleValue).toArray()));
    }

    /** Tries all cuts of the rest of {@code word}, from byte {@code from} on, and of the words after it. */
    private void decide(int word, int from) {
        if (++nodes > maxNodes || bound(word, from) <= best + TOLERANCE * Math.abs(best)) {
            return;
        }
        if (word == words.size()) {
            best = phiSum - Likelihood.phi(total);
            bestCounts = counts.clone();
            return;
        }
        int[] ends = spans[word][from];
        // Longest first: they tend to be the best, and a good solution early is what prunes.
        for (int length = ends.length; length > 0; length--) {
            int piece = ends[length - 1];
            boolean spends = piece >= ByteAlphabet.SIZE && counts[piece] == 0;
            if (spends && used == budget) {
                continue;
            }
            double before = phiSum;
            long weight = weights.get(word);
            used += spends ? 1 : 0;
            phiSum += Likelihood.phi(counts[piece] + weight) - Likelihood.phi(counts[piece]);
            counts[piece] += weight;
            total += weight;
            boolean last = from + length == words.get(word).length();
            decide(last ? word + 1 : word, last ? 0 : from + length);
            total -= weight;
            counts[piece] -= weight;
            phiSum = before;
            used -= spends ? 1 : 0;
        }
    }

    /** What the branch can reach at most: the decided words, what is left of a word begun for nothing, the others alone. */
    private double bound(int word, int from) {
        // The optimum of the words being solved is still 0, which no likelihood exceeds.
        return phiSum - Likelihood.phi(total) + optimumFrom[from == 0 ? word : word + 1];
    }

    private int[][] spans(String word, Map<String, Integer> ids) {
        int[][] spans = new int[word.length()][];
        for (int from = 0; from < word.length(); from++) {
            spans[from] = new int[Math.min(maxPieceBytes, word.length() - from)];
            for (int length = 1; length <= spans[from].length; length++) {
                String piece = word.substring(from, from + length);
                spans[from][length - 1] = ids.computeIfAbsent(piece, p -> {
                    pieces.add(p);
                    return pieces.size() - 1;
                });
            }
        }
        return spans;
    }
}
