package dev.kvasir.cache.store;

import static dev.kvasir.cache.kernel.Kernels.PANEL;

import java.util.Arrays;

/** The lengths of what stores give back for a token, whatever they store: found by reading with unit queries and single weights. */
public final class StoredNorms {
    private StoredNorms() {}

    /** The lengths of the keys of slots {@code from} to {@code to - 1}, at the beginning of an array of the scratch. */
    public static float[] keys(KeyReader reader, int headDim, int from, int to, Scratch scratch) {
        int width = reader.queryWidth(headDim);
        int units = to - from;
        int prepared = units + headDim * headDim;
        int scores = prepared + headDim * width;
        int stride = 2 * PANEL;
        float[] buffer = scratch.scaled(scores + headDim * stride);
        Arrays.fill(buffer, units, prepared, 0f);
        for (int c = 0; c < headDim; c++) {
            buffer[units + c * headDim + c] = 1;
        }
        scratch.letGo();
        reader.prepare(buffer, units, headDim, headDim, buffer, prepared, scratch);
        for (int slot = from / PANEL * PANEL; slot < to; slot += PANEL) {
            int end = Math.min(to, slot + PANEL);
            reader.scores(buffer, prepared, headDim, slot, end, buffer, scores, stride, scratch);
            for (int t = Math.max(from, slot); t < end; t++) {
                buffer[t - from] = norm(buffer, scores + t - slot, stride, headDim);
            }
        }
        return buffer;
    }

    /** The lengths of the values of slots {@code from} to {@code to - 1}, at the beginning of an array of the scratch. */
    public static float[] values(ValueReader reader, int headDim, int from, int to, Scratch scratch) {
        int weights = to - from;
        int sums = weights + PANEL * PANEL;
        float[] buffer = scratch.scaled(sums + PANEL * headDim);
        scratch.letGo();
        for (int slot = from / PANEL * PANEL; slot < to; slot += PANEL) {
            int first = Math.max(from, slot);
            int end = Math.min(to, slot + PANEL);
            Arrays.fill(buffer, weights, sums + PANEL * headDim, 0f);
            for (int t = first; t < end; t++) {
                buffer[weights + (t - first) * PANEL + t - slot] = 1;
            }
            reader.addWeighted(buffer, weights, PANEL, end - first, slot, end, buffer, sums, scratch);
            reader.finish(buffer, sums, end - first, scratch);
            for (int t = first; t < end; t++) {
                buffer[t - from] = norm(buffer, sums + (t - first) * headDim, 1, headDim);
            }
        }
        return buffer;
    }

    private static float norm(float[] x, int offset, int stride, int count) {
        double sum = 0;
        for (int i = 0; i < count; i++) {
            double number = x[offset + i * stride];
            sum += number * number;
        }
        return (float) Math.sqrt(sum);
    }
}
