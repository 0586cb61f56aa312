package dev.kvasir.train.tokenizer;

import dev.kvasir.InvalidInputException;
import dev.kvasir.train.tokenizer.BpeModel.Merge;
import dev.kvasir.train.tokenizer.MergeTable.Pair;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Learns a {@link BpeModel}: merges the most frequent pair (ties: the smaller left, then right id) until the vocabulary
 * is full.
 */
final class BpeTrainer {
    private static final int REPORT_EVERY = 64;

    private BpeTrainer() {}

    /**
     * The model of exactly {@code pieces} pieces.
     *
     * @throws InvalidInputException when the text has too few pairs seen twice to make that many
     */
    static BpeModel train(WordCounts counts, int pieces, Progress progress) {
        MergeTable table = new MergeTable(counts);
        List<Merge> merges = learn(table, pieces, progress);
        if (table.pieces().size() < pieces) {
            throw new InvalidInputException("vocabulary size: the text gives only "
                    + table.pieces().size() + " byte-pair pieces that occur twice, " + pieces
                    + " were asked for; give more text or ask for fewer");
        }
        return new BpeModel(table.pieces(), merges);
    }

    /** As {@link #train}, but ends without complaint when the text gives no more pieces. */
    static BpeModel trainUpTo(WordCounts counts, int pieces, Progress progress) {
        MergeTable table = new MergeTable(counts);
        List<Merge> merges = learn(table, pieces, progress);
        return new BpeModel(table.pieces(), merges);
    }

    private static List<Merge> learn(MergeTable table, int pieces, Progress progress) {
        Set<Pair> learnt = new HashSet<>();
        // A merge already learnt that fits again comes first: an encoder makes it at once.
        PairHeap heap = new PairHeap(pair -> {
            if (learnt.contains(pair)) {
                return pair.count > 0 ? Double.POSITIVE_INFINITY : Double.NEGATIVE_INFINITY;
            }
            return pair.count < 2 ? Double.NEGATIVE_INFINITY : pair.count;
        });
        table.pairs().forEach(heap::update);
        List<Merge> merges = new ArrayList<>();
        for (Pair pair = heap.poll(); pair != null; pair = heap.poll()) {
            if (!learnt.contains(pair)) {
                if (table.pieces().size() == pieces) {
                    break;
                }
                learnt.add(pair);
                merges.add(new Merge(pair.left, pair.right, table.idOf(table.merged(pair))));
                if (merges.size() % REPORT_EVERY == 0) {
                    progress.report(table.pieces().size(), pieces, "merging byte pairs");
                }
            }
            table.merge(pair).forEach(heap::update);
        }
        return merges;
    }
}
