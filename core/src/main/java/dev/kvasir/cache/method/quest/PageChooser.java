package dev.kvasir.cache.method.quest;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.lookup.Chosen;
import dev.kvasir.cache.lookup.Threshold;
import dev.kvasir.cache.store.ChannelBounds;
import dev.kvasir.cache.store.Scratch;
import java.util.Arrays;

/** Scores pages by their bounds and marks the best; of equal ones the lower pages. */
final class PageChooser {
    /** Pages decoded at once. */
    private static final int RUN = 16;

    private final Threshold threshold = new Threshold();
    private int[] ones = {};
    private float[] scores = {};

    /** Scores the first {@code pages} pages for every row. */
    void score(
            Kernels kernels, ChannelBounds bounds, int pages, float[] queries, int rows, int headDim, Scratch scratch) {
        int width = 2 * headDim;
        float[] signed = scratch.lanes(rows * width);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < headDim; c++) {
                float q = queries[r * headDim + c];
                signed[r * width + c] = Math.min(q, 0);
                signed[r * width + headDim + c] = Math.max(q, 0);
            }
        }
        scores = Scratch.grown(scores, rows * pages);
        float[] tile = scratch.tile(RUN * width);
        for (int page = 0; page < pages; ) {
            int run = bounds.run(page, Math.min(RUN, pages - page));
            bounds.read(page, run, tile, 0);
            for (int r = 0; r < rows; r++) {
                for (int i = 0; i < run; i++) {
                    scores[r * pages + page + i] = kernels.dot(signed, r * width, tile, i * width, width);
                }
            }
            page += run;
        }
    }

    /** The bound of a page for a row, of the last {@link #score}. */
    float score(int row, int pages, int page) {
        return scores[row * pages + page];
    }

    /** Marks the tokens of the {@code k} best of {@code pages} pages for a row. */
    void mark(int row, int pages, int k, int pageTokens, Chosen chosen) {
        if (ones.length < pages) {
            ones = new int[pages + pages / 2];
            Arrays.fill(ones, 1);
        }
        threshold.find(scores, row * pages, pages, ones, k);
        int left = threshold.left();
        for (int page = 0; page < pages; page++) {
            int order = threshold.compare(scores[row * pages + page]);
            if (order > 0 || (order == 0 && left-- > 0)) {
                chosen.mark(page * pageTokens, (page + 1) * pageTokens);
            }
        }
    }
}
