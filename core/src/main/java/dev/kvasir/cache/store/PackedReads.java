package dev.kvasir.cache.store;

import static dev.kvasir.cache.kernel.Kernels.PANEL;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Reads of one page of packed keys or values, by few query rows from the codes, by many from a tile unpacked once. */
public final class PackedReads {
    /** Tokens of the widest code word. */
    private static final int WORD = 32;

    /** Channels of values unpacked at a time: a page of them stays in the first-level cache. */
    private static final int TILE_LANES = 32;

    private PackedReads() {}

    /**
     * Scores of keys whose lanes are tokens and whose depth are channels: {@code out[r][i] = queries[r] . key[laneFrom + i]},
     * over the channels {@code channelFrom} to {@code channelTo - 1}. Writes up to 31 numbers more beyond a row's end.
     *
     * @param laneFrom a multiple of 32
     * @param queries {@code [rows][channelTo - channelFrom]}
     */
    public static void scores(
            Kernels kernels,
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int channelFrom,
            int channelTo,
            float[] queries,
            int queryOffset,
            int rows,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        int depth = channelTo - channelFrom;
        float[] work = scratch.work(Kernels.workSize(layout));
        if (rows <= kernels.rowsFromCodes(layout)) {
            int whole = Math.ceilDiv(laneTo, PackedLayout.UNIT) * PackedLayout.UNIT;
            for (int r = 0; r < rows; r++) {
                int at = outOffset + r * outStride;
                Arrays.fill(out, at, at + whole - laneFrom, 0f);
            }
            kernels.accumulateRows(
                    layout,
                    page,
                    laneFrom,
                    whole,
                    channelFrom,
                    channelTo,
                    queries,
                    queryOffset,
                    depth,
                    rows,
                    out,
                    outOffset,
                    outStride,
                    work);
            return;
        }
        float[] tile = scratch.tile(depth * PANEL);
        for (int panel = laneFrom; panel < laneTo; panel += PANEL) {
            int past = Math.min(panel + PANEL, layout.lanes());
            kernels.unpack(layout, page, panel, past, channelFrom, channelTo, tile, 0, PANEL, work);
            int o = outOffset + panel - laneFrom;
            kernels.dots(queries, queryOffset, depth, rows, tile, 0, depth, out, o, outStride);
        }
    }

    /**
     * Sums of values whose lanes are channels and whose depth are tokens: {@code out[r] += sum over i of weights[r][i] *
     * value[from + i]}, the channels {@code laneFrom} to {@code laneTo - 1} of it.
     *
     * @param out {@code [rows][laneTo - laneFrom]}
     */
    public static void addWeighted(
            Kernels kernels,
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int from,
            int end,
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            float[] out,
            int outOffset,
            Scratch scratch) {
        int lanes = laneTo - laneFrom;
        // Codes are read by whole words and whole groups.
        int whole = layout.axis() == Axis.PER_LANE ? Math.max(WORD, layout.group()) : WORD;
        int first = from / whole * whole;
        int last = Math.min(layout.depth(), Math.ceilDiv(end, whole) * whole);
        float[] work = scratch.work(Kernels.workSize(layout));
        if (rows <= kernels.rowsFromCodes(layout)) {
            float[] x = weights;
            int xOffset = weightOffset;
            int xStride = weightStride;
            if (first != from || last != end) {
                // Tokens of the border words that nobody asked for get weight 0.
                xStride = last - first;
                x = scratch.lanes(rows * xStride);
                xOffset = 0;
                Arrays.fill(x, 0, rows * xStride, 0f);
                for (int r = 0; r < rows; r++) {
                    System.arraycopy(
                            weights, weightOffset + r * weightStride, x, r * xStride + from - first, end - from);
                }
            }
            kernels.accumulateRows(
                    layout, page, laneFrom, laneTo, first, last, x, xOffset, xStride, rows, out, outOffset, lanes,
                    work);
            return;
        }
        float[] tile = scratch.tile((last - first) * TILE_LANES);
        for (int lane = laneFrom; lane < laneTo; lane += TILE_LANES) {
            int width = Math.min(TILE_LANES, laneTo - lane);
            kernels.unpack(layout, page, lane, lane + width, first, last, tile, 0, width, work);
            int m = (from - first) * width;
            int o = outOffset + lane - laneFrom;
            kernels.sums(weights, weightOffset, weightStride, rows, tile, m, width, end - from, width, out, o, lanes);
        }
    }
}
