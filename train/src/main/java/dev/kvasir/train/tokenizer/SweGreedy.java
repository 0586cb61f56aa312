package dev.kvasir.train.tokenizer;

import dev.kvasir.train.tokenizer.MergeTable.Pair;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * {@link Search#GREEDY}: the merge with the highest exact likelihood gain until none gains or the vocabulary is full; a
 * piece whose every use was merged away gives its place back.
 */
final class SweGreedy {
    private static final int REPORT_EVERY = 64;

    /** Times the table is cut anew by the fitted model, to refill the places of pieces the best cuts do without. */
    private static final int MAX_ROUNDS = 10;

    private final MergeTable table;
    private final PairHeap heap = new PairHeap(this::priority);

    /** Pieces that earlier best cuts did without: their merge gains, but only until the words are cut anew. */
    private final Set<String> barred;

    /** A search that goes on from {@code table} without the pieces {@code barred}. */
    SweGreedy(MergeTable table, Set<String> barred) {
        this.table = table;
        this.barred = barred;
    }

    /** At most {@code pieces} pieces, fewer where no further merge gains. */
    static UnigramFit train(WordCounts counts, int pieces, Progress progress) {
        MergeTable table = new MergeTable(counts);
        Set<String> barred = new HashSet<>();
        for (int round = 1; ; round++) {
            SweGreedy greedy = new SweGreedy(table, barred);
            greedy.grow(pieces, progress);
            UnigramFit fit = greedy.fit(counts);
            if (fit.unusedPieces().isEmpty() || round == MAX_ROUNDS) {
                return fit;
            }
            barred.addAll(fit.unusedPieces());
            table = new MergeTable(counts, fit.model());
        }
    }

    /** The exact gain in log-likelihood, in nats, of merging all uses of {@code pair}. */
    static double gain(MergeTable table, Pair pair) {
        int known = table.find(table.merged(pair));
        double merged = known < 0 ? 0 : table.count(known);
        double left = table.count(pair.left);
        double right = table.count(pair.right);
        double uses = pair.count;
        double total = table.total();
        return pair.left == pair.right
                ? Likelihood.selfMergeGain(left, merged, uses, total)
                : Likelihood.mergeGain(left, right, merged, uses, total);
    }

    private double priority(Pair pair) {
        double gain = pair.count == 0 ? 0 : gain(table, pair);
        return gain > 0 && !barred.contains(table.merged(pair)) ? gain : Double.NEGATIVE_INFINITY;
    }

    /** Merges until the vocabulary is full or nothing gains; says whether it is full. */
    boolean grow(int pieces, Progress progress) {
        table.pairs().forEach(heap::update);
        int merges = 0;
        for (int live = live(); live < pieces; live = live()) {
            Pair pair = heap.poll();
            if (pair == null) {
                return false;
            }
            table.merge(pair);
            // The total only falls, which lowers every gain; but the gains of pairs with these pieces may rise.
            for (int piece : new int[] {pair.left, pair.right, table.find(table.merged(pair))}) {
                table.pairsOf(piece).forEach(heap::update);
            }
            if (++merges % REPORT_EVERY == 0) {
                progress.report(live, pieces, "merging by likelihood");
            }
        }
        return true;
    }

    private UnigramFit fit(WordCounts counts) {
        List<String> kept = new ArrayList<>();
        List<Double> uses = new ArrayList<>();
        for (int id = 0; id < table.pieces().size(); id++) {
            if (id < ByteAlphabet.SIZE || table.count(id) > 0) {
                kept.add(table.pieces().get(id));
                uses.add((double) table.count(id));
            }
        }
        double[] logP = UnigramFit.logProbabilities(
                uses.stream().mapToDouble(Double::doubleValue).toArray());
        return UnigramFit.fit(counts, kept, logP);
    }

    private int live() {
        int live = ByteAlphabet.SIZE;
        for (int id = ByteAlphabet.SIZE; id < table.pieces().size(); id++) {
            live += table.count(id) > 0 ? 1 : 0;
        }
        return live;
    }
}
