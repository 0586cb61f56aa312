package dev.kvasir.cache.store;

import dev.kvasir.cache.kernel.Kernels;
import java.util.Arrays;

/** Lets the exact rows of a few tokens stand in for what a reader of all tokens has of them. */
final class RowOverlay {
    private final Kernels kernels;
    private final int headDim;
    private final Rows rows;

    /** The rows of one side of one head. */
    interface Rows {
        /** The first row whose slot is {@code slot} or more; the number of rows if there is none. */
        int firstFrom(int slot);

        /** The slot of a row; ascending. */
        int slot(int row);

        /** Decodes a row to {@code headDim} numbers of {@code out}. */
        void row(int row, float[] out, int offset);
    }

    RowOverlay(Kernels kernels, int headDim, Rows rows) {
        this.kernels = kernels;
        this.headDim = headDim;
        this.rows = rows;
    }

    /** {@code inner}, whose queries must be the model's own, with the rows' scores in place of its own. */
    KeyReader keys(KeyReader inner) {
        return new Keys(inner);
    }

    /** {@code inner} with the rows' values in place of its own. */
    ValueReader values(ValueReader inner) {
        return new Values(inner);
    }

    /** Writes the scores of the rows with slots {@code from} to {@code to - 1} over those of {@code out}. */
    void replaceScores(
            float[] queries,
            int queryOffset,
            int queryRows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        int end = rows.firstFrom(to);
        for (int i = rows.firstFrom(from); i < end; i += Kernels.PANEL) {
            int last = Math.min(end, i + Kernels.PANEL);
            scorePanel(queries, queryOffset, queryRows, i, last, from, out, outOffset, outStride, scratch);
        }
    }

    /** Scores up to 32 tokens as exact stores do, to the bit. */
    private void scorePanel(
            float[] queries,
            int queryOffset,
            int queryRows,
            int first,
            int end,
            int from,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        int row = headDim * Kernels.PANEL;
        int scores = row + headDim;
        float[] lanes = scratch.lanes(scores + queryRows * Kernels.PANEL);
        Arrays.fill(lanes, 0, row, 0f);
        for (int i = first; i < end; i++) {
            rows.row(i, lanes, row);
            for (int c = 0; c < headDim; c++) {
                lanes[c * Kernels.PANEL + i - first] = lanes[row + c];
            }
        }
        kernels.dots(queries, queryOffset, headDim, queryRows, lanes, 0, headDim, lanes, scores, Kernels.PANEL);
        for (int i = first; i < end; i++) {
            int at = outOffset + rows.slot(i) - from;
            for (int r = 0; r < queryRows; r++) {
                out[at + r * outStride] = lanes[scores + r * Kernels.PANEL + i - first];
            }
        }
    }

    /** Adds the weighted values of the rows with slots {@code from} to {@code to - 1}. */
    void addValues(
            float[] weights,
            int weightOffset,
            int weightStride,
            int weightRows,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch) {
        int end = rows.firstFrom(to);
        for (int i = rows.firstFrom(from); i < end; i++) {
            float[] value = scratch.lanes(headDim);
            rows.row(i, value, 0);
            int w = weightOffset + rows.slot(i) - from;
            kernels.sums(weights, w, weightStride, weightRows, value, 0, headDim, 1, headDim, out, outOffset, headDim);
        }
    }

    private final class Keys implements KeyReader {
        private final KeyReader inner;

        Keys(KeyReader inner) {
            this.inner = inner;
        }

        @Override
        public int size() {
            return inner.size();
        }

        @Override
        public void scores(
                float[] queries,
                int queryOffset,
                int queryRows,
                int from,
                int to,
                float[] out,
                int outOffset,
                int outStride,
                Scratch scratch) {
            inner.scores(queries, queryOffset, queryRows, from, to, out, outOffset, outStride, scratch);
            replaceScores(queries, queryOffset, queryRows, from, to, out, outOffset, outStride, scratch);
        }
    }

    private final class Values implements ValueReader {
        private final ValueReader inner;

        Values(ValueReader inner) {
            this.inner = inner;
        }

        @Override
        public int size() {
            return inner.size();
        }

        @Override
        public void addWeighted(
                float[] weights,
                int weightOffset,
                int weightStride,
                int weightRows,
                int from,
                int to,
                float[] out,
                int outOffset,
                Scratch scratch) {
            int first = rows.firstFrom(from);
            int end = rows.firstFrom(to);
            float[] kept = scratch.spare((end - first) * weightRows);
            exchange(weights, weightOffset - from, weightStride, weightRows, first, end, kept, true);
            inner.addWeighted(weights, weightOffset, weightStride, weightRows, from, to, out, outOffset, scratch);
            exchange(weights, weightOffset - from, weightStride, weightRows, first, end, kept, false);
            addValues(weights, weightOffset, weightStride, weightRows, from, to, out, outOffset, scratch);
        }

        /** Keeps the weights of exact tokens aside and puts 0 in their place, or brings them back. */
        private void exchange(
                float[] weights,
                int offset,
                int stride,
                int weightRows,
                int first,
                int end,
                float[] kept,
                boolean away) {
            int k = 0;
            for (int i = first; i < end; i++) {
                int slot = rows.slot(i);
                for (int r = 0; r < weightRows; r++, k++) {
                    int at = offset + r * stride + slot;
                    if (away) {
                        kept[k] = weights[at];
                        weights[at] = 0;
                    } else {
                        weights[at] = kept[k];
                    }
                }
            }
        }

        @Override
        public void finish(float[] sums, int offset, int weightRows, Scratch scratch) {
            inner.finish(sums, offset, weightRows, scratch);
        }
    }
}
