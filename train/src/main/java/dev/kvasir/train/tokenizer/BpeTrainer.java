package dev.kvasir.train.tokenizer;

import dev.kvasir.InvalidInputException;
import dev.kvasir.train.tokenizer.BpeModel.Merge;
import dev.kvasir.train.tokenizer.MergeTable.Pair;
import java.util.ArrayList;
import java.util.List;

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
        BpeModel model = trainUpTo(counts, pieces, progress);
        int made = model.pieces().size();
        if (made < pieces) {
            throw new InvalidInputException("vocabulary size: the text gives only " + made
                    + " byte-pair pieces that occur twice, " + pieces
                    + " were asked for; give more text or ask for fewer");
        }
        return model;
    }

    /** As {@link #train}, but ends without complaint when the text gives no more pieces. */
    static BpeModel trainUpTo(WordCounts counts, int pieces, Progress progress) {
        return learn(new MergeTable(counts), pieces, progress);
    }

    /** Merges in {@code table}, one piece per byte at first, until it has {@code pieces} pieces or no pair is seen twice. */
    static BpeModel learn(MergeTable table, int pieces, Progress progress) {
        PairHeap heap = new PairHeap(pair -> pair.count < 2 ? Double.NEGATIVE_INFINITY : pair.count);
        table.pairs().forEach(heap::update);
        List<Merge> merges = new ArrayList<>();
        while (table.pieces().size() < pieces) {
            Pair pair = heap.poll();
            if (pair == null) {
                break;
            }
            table.merge(pair).forEach(heap::update);
            merges.add(new Merge(pair.left, pair.right, table.find(table.merged(pair))));
            if (merges.size() % REPORT_EVERY == 0) {
                progress.report(table.pieces().size(), pieces, "merging byte pairs");
            }
        }
        return new BpeModel(table.pieces(), merges);
    }
}
