package dev.kvasir.cache.store;

import static dev.kvasir.cache.kernel.Kernels.PANEL;

/** Reads of some slots through readers that know ranges only: each run of 32 slots that holds one of them is read. */
final class Selected {
    private Selected() {}

    static void scores(
            KeyReader keys,
            float[] queries,
            int queryOffset,
            int rows,
            int[] slots,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        float[] run = scratch.selected(rows * 2 * PANEL);
        for (int i = from; i < to; ) {
            int first = slots[i] / PANEL * PANEL;
            int next = next(slots, i, to, first);
            int end = Math.min(first + PANEL, keys.size());
            keys.scores(queries, queryOffset, rows, first, end, run, 0, 2 * PANEL, scratch);
            for (int r = 0; r < rows; r++) {
                for (int j = i; j < next; j++) {
                    out[outOffset + r * outStride + j - from] = run[r * 2 * PANEL + slots[j] - first];
                }
            }
            i = next;
        }
    }

    static void addWeighted(
            ValueReader values,
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int[] slots,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch) {
        float[] run = scratch.selected(rows * PANEL);
        for (int i = from; i < to; ) {
            int first = slots[i] / PANEL * PANEL;
            int next = next(slots, i, to, first);
            int end = Math.min(first + PANEL, values.size());
            java.util.Arrays.fill(run, 0, rows * PANEL, 0f);
            for (int r = 0; r < rows; r++) {
                for (int j = i; j < next; j++) {
                    run[r * PANEL + slots[j] - first] = weights[weightOffset + r * weightStride + j - from];
                }
            }
            values.addWeighted(run, 0, PANEL, rows, first, end, out, outOffset, scratch);
            i = next;
        }
    }

    /** Index of the first slot beyond the run that begins with {@code first}. */
    private static int next(int[] slots, int i, int to, int first) {
        int next = i;
        while (next < to && slots[next] < first + PANEL) {
            next++;
        }
        return next;
    }
}
