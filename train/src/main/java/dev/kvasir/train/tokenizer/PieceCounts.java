package dev.kvasir.train.tokenizer;

/** How often a model uses each of its pieces on a text. */
final class PieceCounts {
    private PieceCounts() {}

    /** Uses by piece id on {@code table}. */
    static double[] of(SubwordModel model, WordCounts table) {
        double[] uses = new double[model.pieces().size()];
        for (int w = 0; w < table.size(); w++) {
            for (int piece : model.segment(table.words().get(w))) {
                uses[piece] += table.counts().get(w);
            }
        }
        return uses;
    }
}
