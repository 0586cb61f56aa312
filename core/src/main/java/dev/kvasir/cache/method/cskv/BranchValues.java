package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Panels;
import dev.kvasir.cache.store.RecentRows;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;

/**
 * One head's values from both branches. No value is ever rebuilt: weighted latents are summed, and the sum is multiplied by
 * {@code B} once, at the end.
 *
 * <pre>
 *   sum = latents [rank] | exact values [headDim]
 * </pre>
 */
record BranchValues(CskvPlan plan, int kvHead, Latents latents, RecentRows recent) implements ValueReader {
    private static final int PANEL = Kernels.PANEL;

    @Override
    public int size() {
        return latents.store().size();
    }

    @Override
    public int sumWidth(int headDim) {
        return latents.factors().rank() + headDim;
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
        int rank = latents.factors().rank();
        int headDim = plan.shape().headDim();
        int stride = rank + headDim;
        int exact = plan.rule().firstExact(size(), plan.window());
        int end = Math.min(to, exact);
        int slot = from;
        while (slot < end) {
            int panel = slot / PANEL * PANEL;
            int run = Math.min(end, panel + PANEL) - slot;
            float[] tile = tile(panel, scratch);
            int w = weightOffset + slot - from;
            int at = (slot - panel) * rank;
            latents.kernels().sums(weights, w, weightStride, rows, tile, at, rank, run, rank, out, outOffset, stride);
            slot += run;
        }
        int first = Math.max(from, exact);
        if (first < to) {
            int w = weightOffset + first - from;
            int o = outOffset + rank;
            recent.addWeighted(kvHead, headDim, weights, w, weightStride, rows, first, to, out, o, stride, scratch);
        }
    }

    /** The latents of 32 slots as {@code [32][rank]}, held for the heads that follow. */
    private float[] tile(int slot, Scratch scratch) {
        // The latents' store stands for all heads of the layer.
        if (scratch.holds(latents, slot)) {
            return scratch.held();
        }
        int rank = latents.factors().rank();
        float[] tile = scratch.hold(latents, slot, rank * PANEL);
        float[] panel = scratch.tile(rank * PANEL);
        latents.panel(slot, panel, scratch);
        Panels.transpose(panel, 0, PANEL, rank, PANEL, tile, rank);
        return tile;
    }

    @Override
    public void project(float[] sums, int offset, int rows, int headDim, float[] out, int outOffset, Scratch scratch) {
        Factors factors = latents.factors();
        int rank = factors.rank();
        int stride = rank + headDim;
        for (int r = 0; r < rows; r++) {
            System.arraycopy(sums, offset + r * stride + rank, out, outOffset + r * headDim, headDim);
        }
        latents.kernels()
                .sums(
                        sums,
                        offset,
                        stride,
                        rows,
                        factors.b(),
                        kvHead * headDim,
                        factors.outputs(),
                        rank,
                        headDim,
                        out,
                        outOffset,
                        headDim);
    }
}
