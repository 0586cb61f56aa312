package dev.kvasir.cache.store;

import java.util.Arrays;

/**
 * Reads stored directions as the vectors they are of, each token's direction times its length: scores are multiplied by the
 * lengths, weights are before they are summed, so that no vector is ever restored.
 *
 * @param scalars where the lengths are
 * @param row which of its rows
 * @param headDim channels of a direction
 */
public record Lengths(TokenScalars scalars, int row, int headDim) {
    /** Keys whose directions are {@code inner}'s. */
    public KeyReader keys(KeyReader inner) {
        return new Keys(this, inner);
    }

    /** Values whose directions are {@code inner}'s, with sums that are in the model's basis at once. */
    public ValueReader values(ValueReader inner) {
        return new Values(this, inner);
    }

    private record Keys(Lengths lengths, KeyReader inner) implements KeyReader {
        @Override
        public int size() {
            return inner.size();
        }

        @Override
        public int queryWidth(int width) {
            return inner.queryWidth(width);
        }

        @Override
        public void prepare(
                float[] queries, int offset, int rows, int width, float[] out, int outOffset, Scratch scratch) {
            inner.prepare(queries, offset, rows, width, out, outOffset, scratch);
        }

        @Override
        public void scores(
                float[] queries,
                int queryOffset,
                int rows,
                int from,
                int to,
                float[] out,
                int outOffset,
                int outStride,
                Scratch scratch) {
            inner.scores(queries, queryOffset, rows, from, to, out, outOffset, outStride, scratch);
            int count = to - from;
            float[] length = scratch.lanes(count);
            lengths.scalars.read(lengths.row, from, to, length, 0);
            for (int r = 0; r < rows; r++) {
                int at = outOffset + r * outStride;
                for (int i = 0; i < count; i++) {
                    out[at + i] *= length[i];
                }
            }
        }
    }

    private record Values(Lengths lengths, ValueReader inner) implements ValueReader {
        @Override
        public int size() {
            return inner.size();
        }

        @Override
        public void addWeighted(
                float[] weights,
                int weightOffset,
                int weightStride,
                int rows,
                int from,
                int to,
                float[] out,
                int outOffset,
                Scratch scratch) {
            int count = to - from;
            int width = lengths.headDim;
            int sums = rows * count;
            int length = sums + rows * width;
            float[] scaled = scratch.scaled(length + count);
            lengths.scalars.read(lengths.row, from, to, scaled, length);
            for (int r = 0; r < rows; r++) {
                int w = weightOffset + r * weightStride;
                for (int i = 0; i < count; i++) {
                    scaled[r * count + i] = weights[w + i] * scaled[length + i];
                }
            }
            Arrays.fill(scaled, sums, length, 0f);
            inner.addWeighted(scaled, 0, count, rows, from, to, scaled, sums, scratch);
            // Once a tile, not once a step: what is exact beside the directions is in the model's basis already.
            inner.finish(scaled, sums, rows, scratch);
            for (int i = 0; i < rows * width; i++) {
                out[outOffset + i] += scaled[sums + i];
            }
        }
    }
}
