package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.RecentRows;
import dev.kvasir.cache.store.Scratch;

/** One head's keys from both branches: rebuilt up to the window, exact in it. */
record BranchKeys(CskvPlan plan, int kvHead, KeyReader rebuilt, RecentRows recent) implements KeyReader {
    @Override
    public int size() {
        return rebuilt.size();
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
        int exact = plan.rule().firstExact(size(), plan.window());
        if (from < exact) {
            // Whole panels, so that the begun one is read; its exact tokens are written over.
            int end = Math.min(to, Math.ceilDiv(exact, Kernels.PANEL) * Kernels.PANEL);
            rebuilt.scores(queries, queryOffset, rows, from, end, out, outOffset, outStride, scratch);
        }
        int first = Math.max(from, exact);
        if (first < to) {
            int at = outOffset + first - from;
            int headDim = plan.shape().headDim();
            recent.scores(kvHead, headDim, queries, queryOffset, rows, first, to, out, at, outStride, scratch);
        }
    }
}
